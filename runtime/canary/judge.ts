/**
 * Whether a candidate that is tried on live requests goes on, takes over, or is taken back, and why: pure.
 *
 * It is taken back as soon as one test finds it worse, and takes over at the end when none does. The tests: errors and
 * labelled accuracy by Fisher's exact test, one-sided; run times at the median and at the 95th percentile by the median
 * test (Mood 1950; at another quantile it is the same test) after the candidate's have been divided by what it may take
 * longer; in a shadow, where both versions answer the same requests, accuracy by McNemar's test. They are made at few,
 * fixed numbers of requests, and share one probability of being taken back by chance: by Boole's inequality
 * {@link chanceOfFalseRollback} holds for a candidate that is as good, whatever the tests have in common.
 */
import type { CheckedCanary } from '../core/canary-schema.ts'
import { fisherProbability } from '../drift/class-shift.ts'
import { probabilityOfChance } from '../training/paired-test.ts'
import type { ArmCounts, CanaryCounts } from './counts.ts'

export interface CanaryFacts {
  options: CheckedCanary
  counts: CanaryCounts
  /** How long requests have come to it. */
  activeMs: number
}

export interface CanaryFinding {
  check: 'errors' | 'latency-p50' | 'latency-p95' | 'accuracy'
  good: boolean
  reason: string
}

export interface CanaryDecision {
  verdict: 'go-on' | 'promote' | 'roll-back'
  /** For people: what speaks against it, or, where nothing does, every finding. */
  reasons: string[]
  checks: CanaryFinding[]
}

/** A candidate that is as good as the version that serves is taken back with at most this probability. */
export const chanceOfFalseRollback = 0.05

/** A trial that ends by time with fewer requests on the candidate has not tried it. */
const leastRequests = 30

/** Requests on the candidate at which it is looked at: early ones, so that a broken one ends soon, and the last. */
export function lookCounts(requests: number): number[] {
  const counts: number[] = []
  for (let at = 10; at < requests; at *= 2) counts.push(at)
  return [...counts, requests]
}

export function judgeCanary({ options, counts, activeMs }: CanaryFacts): CanaryDecision {
  const { current, candidate } = counts
  const { requests, forMs, maxSlowdown } = options
  // One look more for the end of the time.
  const most = chanceOfFalseRollback / ((lookCounts(requests).length + 1) * 4)
  const checks = [
    judgeErrors(current, candidate, most),
    judgeLatency('latency-p50', 0.5, current, candidate, { maxSlowdown, most }),
    judgeLatency('latency-p95', 0.95, current, candidate, { maxSlowdown, most }),
    judgeAccuracy(options.mode, counts, most),
  ]
  const against = checks.filter(({ good }) => !good)
  if (against.length > 0)
    return { verdict: 'roll-back', reasons: against.map(({ reason }) => reason), checks }
  const reasons = checks.map(({ reason }) => reason)
  if (candidate.requests >= requests) return { verdict: 'promote', reasons, checks }
  if (activeMs < forMs) return { verdict: 'go-on', reasons, checks }
  const least = Math.min(leastRequests, requests)
  if (candidate.requests >= least) return { verdict: 'promote', reasons, checks }
  const few = `only ${candidate.requests} requests came to it in its time, expected at least ${least}`
  return { verdict: 'roll-back', reasons: [few], checks }
}

function judgeErrors(current: ArmCounts, candidate: ArmCounts, most: number): CanaryFinding {
  const good = ({ requests, errors }: ArmCounts) => [requests - errors, requests] as const
  const chance = fewer(good(candidate), good(current))
  const text = ({ errors, requests }: ArmCounts) => `${errors} of ${requests}`
  return {
    check: 'errors',
    good: chance > most,
    reason: `errors ${text(current)} -> ${text(candidate)}, ${sureness(chance, most)}`,
  }
}

function judgeLatency(
  check: CanaryFinding['check'],
  quantile: number,
  current: ArmCounts,
  candidate: ArmCounts,
  { maxSlowdown, most }: { maxSlowdown: number; most: number },
): CanaryFinding {
  const name = `p${quantile * 100}`
  const before = quantileOf(current.runMs, quantile)
  const after = quantileOf(candidate.runMs, quantile)
  if (before === undefined || after === undefined)
    return { check, good: true, reason: `${name} of run times: not judged, one version has none` }
  const allowed = 1 + maxSlowdown
  const scaled = candidate.runMs.map(ms => ms / allowed)
  const bound = quantileOf([...scaled, ...current.runMs], quantile) ?? 0
  const below = (times: readonly number[]) => [times.filter(ms => ms <= bound).length, times.length] as const
  const chance = fewer(below(scaled), below(current.runMs))
  const change = `${name} of run times ${before.toFixed(2)} -> ${after.toFixed(2)} ms, allowed ${allowed.toFixed(2)} times`
  return { check, good: chance > most, reason: `${change}, ${sureness(chance, most)}` }
}

function judgeAccuracy(mode: CheckedCanary['mode'], counts: CanaryCounts, most: number): CanaryFinding {
  const { current, candidate, pairs } = counts
  const check = 'accuracy'
  if (current.labelled === 0 || candidate.labelled === 0)
    return { check, good: true, reason: 'live accuracy: not judged, no feedback on one version' }
  const chance =
    mode === 'shadow'
      ? probabilityOfChance({ ...pairs, better: pairs.worse, worse: pairs.better })
      : fewer([candidate.right, candidate.labelled], [current.right, current.labelled])
  const text = ({ right, labelled }: ArmCounts) => `${(right / labelled).toFixed(3)} (${labelled})`
  const reason = `live accuracy ${text(current)} -> ${text(candidate)}, ${sureness(chance, most)}`
  return { check, good: chance > most, reason }
}

/** Probability of so few hits, or fewer, in the first of two groups of one kind. */
function fewer(hits: readonly [number, number], reference: readonly [number, number]): number {
  return hits[1] === 0 || reference[1] === 0 ? 1 : fisherProbability(hits, reference, 'less')
}

/** By rank: the smallest value that `quantile` of all are not above. Undefined of none. */
export function quantileOf(values: readonly number[], quantile: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(quantile * sorted.length) - 1)]
}

const sureness = (chance: number, most: number) => `p = ${show(chance)}, worse at ${show(most)}`
const show = (probability: number) =>
  probability >= 0.01 ? probability.toFixed(3) : probability.toExponential(1)
