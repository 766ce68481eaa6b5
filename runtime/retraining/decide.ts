/** Promotion: from accuracies before and after to a decision with its reasons. Pure. */
import type { VersionMetrics } from '../models/lineage.ts'

export interface Acceptance {
  /** Accuracy to gain on held-out samples. From 0 up the candidate must also be better at all; below, it may lose. */
  minGain: number
  /** Accuracy that may be lost on held-out reference pictures. */
  maxForgetting: number
}

export interface Decision {
  promote: boolean
  /** For people: each finding, those that speak against promotion first. */
  reasons: string[]
}

/** Fewer held-out samples say too little about either version. */
export const leastHeldOut = 5
/** Accuracies are ratios of counts: differences below this are rounding. */
const rounding = 1e-9

export function decide(before: VersionMetrics, after: VersionMetrics, accept: Acceptance): Decision {
  const findings = [judgeGain(before, after, accept), judgeForgetting(before, after, accept)]
  const against = findings.filter(finding => !finding.good)
  const reasons = (against.length > 0 ? against : findings).map(finding => finding.reason)
  return { promote: against.length === 0, reasons }
}

interface Finding {
  good: boolean
  reason: string
}

function judgeGain(before: VersionMetrics, after: VersionMetrics, { minGain }: Acceptance): Finding {
  const [from, to] = [before.heldOut.accuracy, after.heldOut.accuracy]
  const { count } = after.heldOut
  if (count < leastHeldOut || from === null || to === null) {
    return { good: false, reason: `only ${count} held-out samples; expected at least ${leastHeldOut}` }
  }
  const gain = to - from
  const good = gain >= minGain - rounding && (minGain < 0 || gain > rounding)
  const wanted = minGain === 0 ? 'more than 0' : `at least ${minGain}`
  const reason = `held-out accuracy ${show(from)} -> ${show(to)} on ${count} samples: gain ${show(gain)}, expected ${wanted}`
  return { good, reason }
}

function judgeForgetting(
  before: VersionMetrics,
  after: VersionMetrics,
  { maxForgetting }: Acceptance,
): Finding {
  const [from, to] = [before.reference.accuracy, after.reference.accuracy]
  if (from === null && to === null)
    return { good: true, reason: 'no reference pictures: forgetting not judged' }
  if (from === null || to === null) {
    return { good: false, reason: 'one version was not measured on the reference pictures' }
  }
  const lost = from - to
  const good = lost <= maxForgetting + rounding
  const reason = `reference accuracy ${show(from)} -> ${show(to)} on ${after.reference.count} pictures: lost ${show(lost)}, allowed ${maxForgetting}`
  return { good, reason }
}

const show = (accuracy: number) => accuracy.toFixed(3)
