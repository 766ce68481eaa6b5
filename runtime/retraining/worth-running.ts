/** Whether a run by schedule can pay: pure. Runs by hand and on drift always may. */
import type { DriftLevel } from '../drift/level.ts'
import type { RunRecord } from './run-record.ts'

export interface WorthFacts {
  by: RunRecord['by']
  /** When the last run that came to a decision began; undefined: there was none. ISO 8601. */
  lastRunAt: string | undefined
  /** Samples that have been labelled since. */
  newSamples: number
  minNewSamples: number
  drift: DriftLevel
}

/** Why it is skipped; undefined: it is not. */
export function skipReason(facts: WorthFacts): string | undefined {
  const { by, lastRunAt, newSamples, minNewSamples, drift } = facts
  if (by !== 'schedule' || drift !== 'stable' || lastRunAt === undefined) return undefined
  if (newSamples >= minNewSamples) return undefined
  return `${newSamples} samples have come since the run of ${lastRunAt}, expected at least ${minNewSamples}, and the model has not drifted`
}
