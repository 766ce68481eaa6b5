/** What a trial counts of both versions: pure data and its edits. */
import { z } from 'zod'
import type { CorunError } from '../core/errors.ts'
import { comparisonSchema } from '../core/trainer-messages.ts'

const armSchema = z.object({
  /** Requests that it answered, or failed by a fault of its own. */
  requests: z.int(),
  errors: z.int(),
  /** Of its last runs, oldest first. Unit: ms. */
  runMs: z.array(z.number()),
  /** Answers whose truth became known, and those among them that were right. */
  labelled: z.int(),
  right: z.int(),
})
export type ArmCounts = z.output<typeof armSchema>

export const countsSchema = z.object({
  current: armSchema,
  candidate: armSchema,
  /** Shadow: requests whose truth became known, by whether the candidate did better than the current version. */
  pairs: comparisonSchema,
  /** Shadow: whether both answered the same. */
  agreement: z.object({ same: z.int(), different: z.int() }),
  /** Shadow: requests that were drawn while no slot was free. */
  skipped: z.int(),
})
export type CanaryCounts = z.output<typeof countsSchema>

/** Run times that are kept of each arm: their quantiles change little with more. */
const mostTimes = 1000

const noRequests = (): ArmCounts => ({ requests: 0, errors: 0, runMs: [], labelled: 0, right: 0 })

export const noCounts = (): CanaryCounts => ({
  current: noRequests(),
  candidate: noRequests(),
  pairs: { better: 0, worse: 0, equal: 0 },
  agreement: { same: 0, different: 0 },
  skipped: 0,
})

/** How one request ended on one version. */
export interface ArmOutcome {
  failed: boolean
  /** 0: it did not come to a run. */
  runMs: number
}

export function countOutcome(arm: ArmCounts, { failed, runMs }: ArmOutcome): void {
  arm.requests += 1
  if (failed) arm.errors += 1
  // How soon it failed says nothing about how long answers take.
  else if (runMs > 0) arm.runMs.push(runMs)
  if (arm.runMs.length > mostTimes) arm.runMs.shift()
}

export function countTruth(arm: ArmCounts, right: boolean): void {
  arm.labelled += 1
  if (right) arm.right += 1
}

/** The box's doing, not the version's. */
const ofTheBox = new Set(['saturated', 'shutting-down', 'function-unavailable', 'thread-lost'])

/**
 * What an outcome says of the version that ran: `undefined` is nothing, such as an input that it refused, or a caller
 * that went away. `error`: what the request failed with. `status`: of its answer.
 */
export function isFault(end: { error?: unknown; status?: number | undefined }): boolean | undefined {
  if (end.error === undefined) return (end.status ?? 200) >= 500
  const { code, status } = end.error as Partial<CorunError>
  // Not one of ours: whatever it is, it came from inside.
  if (code === undefined || status === undefined) return true
  if (status < 500 || ofTheBox.has(code)) return undefined
  return true
}
