/** Whether classes come as often as in the reference: an exact test, and an index of how far they moved. Pure. */
import { logFactorial } from '../core/log-factorial.ts'

const logChoose = (n: number, k: number) => logFactorial(n) - logFactorial(k) - logFactorial(n - k)

/**
 * Fisher's exact test: `hits` of `size` against `referenceHits` of `referenceSize`. The probability of a table of the
 * same margins that is as far out on its side or further, doubled for the two sides.
 * @param side `both`, or `less`: only fewer hits than in the reference count, and nothing is doubled
 */
export function fisherProbability(
  [hits, size]: readonly [number, number],
  [referenceHits, referenceSize]: readonly [number, number],
  side: 'both' | 'less' = 'both',
): number {
  const total = hits + referenceHits
  const logAll = logChoose(size + referenceSize, total)
  const chance = Math.exp(logChoose(size, hits) + logChoose(referenceSize, total - hits) - logAll)
  /** From one count to the next one up: the ratio of neighbours of the hypergeometric distribution. */
  const up = (count: number) =>
    ((size - count) * (total - count)) / ((count + 1) * (referenceSize - total + count + 1))
  const tail = (step: 1 | -1) => {
    let sum = 0
    let term = chance
    for (let count = hits; term > sum * 1e-16; count += step) {
      sum += term
      term *= step === 1 ? up(count) : 1 / up(count - 1)
    }
    return Math.min(1, sum)
  }
  if (side === 'both') return Math.min(1, 2 * Math.min(tail(-1), tail(1)))
  // Above what is expected the tail below is nearly all there is, and summing it up from a table that is too unlikely for
  // a number would give nothing.
  const above = hits * (size + referenceSize) >= size * total
  return above ? Math.min(1, 1 - tail(1) + chance) : tail(-1)
}

/** Classes beyond this many are taken together, those that the reference has least of first. */
export const mostClasses = 20

/**
 * Each class against all others, by Fisher's exact test, times the number of classes (Bonferroni).
 * @param window how many of each class, as in `reference`
 */
export function classProbability(window: readonly number[], reference: readonly number[]): number {
  const [now, before] = [window, reference].map(sum)
  if (now === undefined || before === undefined || now === 0 || before === 0) return 1
  let least = 1
  for (const [at, hits] of window.entries()) {
    const referenceHits = reference[at] ?? 0
    if (hits / now === referenceHits / before) continue
    least = Math.min(least, fisherProbability([hits, now], [referenceHits, before]))
  }
  return Math.min(1, least * window.length)
}

/**
 * Population stability index: the sum of (p - q) ln(p / q) over the classes. By custom below 0.1 little has changed and
 * above 0.25 much. Half a request is added to each class, so that one that never came has a logarithm.
 */
export function stabilityIndex(window: readonly number[], reference: readonly number[]): number {
  const smoothed = (counts: readonly number[]) => {
    const all = sum(counts) + counts.length / 2
    return counts.map(count => (count + 0.5) / all)
  }
  const [p, q] = [smoothed(window), smoothed(reference)]
  return p.reduce((index, share, at) => {
    const other = q[at] ?? share
    return index + (share - other) * Math.log(share / other)
  }, 0)
}

const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)
