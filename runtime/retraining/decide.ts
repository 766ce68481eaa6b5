/** The gate: from what both versions did on the same pictures to a decision with its reasons. Pure. */
import type { CheckedRetraining } from '../core/definition-schema.ts'
import type { Comparison, Latency } from '../core/trainer-messages.ts'
import type { VersionMetrics } from '../models/lineage.ts'
import { probabilityOfChance } from '../training/paired-test.ts'

export type Acceptance = Omit<CheckedRetraining['accept'], 'minSamples' | 'minNewSamples'>

/** What was measured of the current version, before, and of the candidate, after. */
export interface Evidence {
  before: VersionMetrics
  after: VersionMetrics
  comparison: { heldOut: Comparison; reference: Comparison }
  latency: Latency
}

export interface Decision {
  promote: boolean
  /** For people: what speaks against promotion, or, where nothing does, every finding. */
  reasons: string[]
  checks: Finding[]
}

export interface Finding {
  check: 'gain' | 'forgetting' | 'latency'
  good: boolean
  reason: string
}

/** Fewer held-out samples say too little about either version. */
export const leastHeldOut = 5
/** Accuracies are ratios of counts: differences below this are rounding. */
const rounding = 1e-9

export function decide(evidence: Evidence, accept: Acceptance): Decision {
  const checks = [
    judgeGain(evidence, accept),
    judgeForgetting(evidence, accept),
    judgeLatency(evidence, accept),
  ]
  const against = checks.filter(({ good }) => !good)
  const reasons = (against.length > 0 ? against : checks).map(({ reason }) => reason)
  return { promote: against.length === 0, reasons, checks }
}

/** From a `minGain` of 0 up the candidate must be better, and not by chance; below, it may lose as much. */
function judgeGain({ before, after, comparison }: Evidence, { minGain, significance }: Acceptance): Finding {
  const [from, to] = [before.heldOut.accuracy, after.heldOut.accuracy]
  const { count } = after.heldOut
  if (count < leastHeldOut || from === null || to === null) {
    const reason = `only ${count} held-out samples; expected at least ${leastHeldOut}`
    return { check: 'gain', good: false, reason }
  }
  const gain = to - from
  const enough = gain >= minGain - rounding && (minGain < 0 || gain > rounding)
  const wanted = minGain === 0 ? 'more than 0' : `at least ${minGain}`
  const change = `held-out accuracy ${show(from)} -> ${show(to)} on ${count} samples: gain ${show(gain)}, expected ${wanted}`
  if (minGain < 0) return { check: 'gain', good: enough, reason: change }
  const { better, worse } = comparison.heldOut
  const chance = probabilityOfChance(comparison.heldOut)
  const sure = `better on ${better} and worse on ${worse}, p = ${show(chance)}, expected at most ${significance}`
  return { check: 'gain', good: enough && chance <= significance, reason: `${change}; ${sure}` }
}

/**
 * By the bound alone: on few pictures no test would find a loss, and that must not pass for nothing being lost. How sure the
 * loss is, is told.
 */
function judgeForgetting({ before, after, comparison }: Evidence, { maxForgetting }: Acceptance): Finding {
  const check = 'forgetting'
  const [from, to] = [before.reference.accuracy, after.reference.accuracy]
  if (from === null && to === null)
    return { check, good: true, reason: 'no reference pictures: forgetting not judged' }
  if (from === null || to === null) {
    return { check, good: false, reason: 'one version was not measured on the reference pictures' }
  }
  const lost = from - to
  const { better, worse } = comparison.reference
  const change = `reference accuracy ${show(from)} -> ${show(to)} on ${after.reference.count} pictures: lost ${show(lost)}, allowed ${maxForgetting}`
  const chance = probabilityOfChance({ ...comparison.reference, better: worse, worse: better })
  const sure = `better on ${better} and worse on ${worse}, p = ${show(chance)}`
  return { check, good: lost <= maxForgetting + rounding, reason: `${change}; ${sure}` }
}

function judgeLatency({ latency }: Evidence, { maxSlowdown }: Acceptance): Finding {
  const { beforeMs, afterMs, ratio, rounds } = latency
  return {
    check: 'latency',
    good: ratio <= 1 + maxSlowdown,
    reason: `one picture takes ${beforeMs.toFixed(2)} -> ${afterMs.toFixed(2)} ms (p50, best of ${rounds} ${rounds === 1 ? 'round' : 'rounds'}): ${show(ratio)} times, allowed ${show(1 + maxSlowdown)}`,
  }
}

const show = (accuracy: number) => accuracy.toFixed(3)
