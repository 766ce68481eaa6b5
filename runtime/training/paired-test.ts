/** Whether one model does better than another on the same pictures, or only seems to. Pure. */
import { logFactorial } from '../core/log-factorial.ts'
import type { Comparison } from '../core/trainer-messages.ts'

/** `before` and `after`: a score each picture, in the same order; the larger, the better. */
export function compareScores(before: readonly number[], after: readonly number[]): Comparison {
  const counts: Comparison = { better: 0, worse: 0, equal: 0 }
  for (const [index, score] of after.entries()) {
    const difference = score - (before[index] ?? score)
    counts[difference > 0 ? 'better' : difference < 0 ? 'worse' : 'equal'] += 1
  }
  return counts
}

/**
 * McNemar's test (1947) on the pictures that the two models do not agree on, which is the sign test: the probability that
 * at least as many of them would go to the second model if each went to either with the same chance. One-sided,
 * mid-p: half of the probability of just what was seen is left out, which makes the exact binomial test neither too
 * careful on few pictures nor too bold on many (Fagerland, Lydersen and Laake 2013, doi 10.1186/1471-2288-13-91).
 */
export function probabilityOfChance({ better, worse }: Comparison): number {
  const count = better + worse
  if (count === 0) return 1
  let sum = binomialHalf(count, better) / 2
  for (let seen = better + 1; seen <= count; seen += 1) sum += binomialHalf(count, seen)
  return Math.min(1, sum)
}

/** Probability of `seen` heads in `count` tosses of a fair coin; by logarithms, so that thousands do not overflow. */
function binomialHalf(count: number, seen: number): number {
  return Math.exp(logFactorial(count) - logFactorial(seen) - logFactorial(count - seen) - count * Math.LN2)
}
