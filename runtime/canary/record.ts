/** A trial as it is kept, and as people and programs see it. */
import { z } from 'zod'
import { canarySchema } from '../core/canary-schema.ts'
import { type Share, wilsonShare } from '../drift/wilson.ts'
import { type ArmCounts, countsSchema } from './counts.ts'
import { type CanaryDecision, judgeCanary, quantileOf } from './judge.ts'

export const canaryRecordSchema = z.object({
  function: z.string(),
  /** `<function>.<model name>`. */
  model: z.string(),
  /** The run that made the candidate. */
  run: z.string(),
  /** Content hashes of the version on trial, and of the one that serves. */
  candidate: z.string(),
  current: z.string(),
  options: canarySchema,
  /** ISO 8601. */
  startedAt: z.string(),
  /** How long requests have come to it: time that the server did not run does not count. */
  activeMs: z.number(),
  /** Id of the candidate's deployment: what is counted is about it, and begins anew with another one. */
  deployment: z.string(),
  counts: countsSchema,
})
export type CanaryRecord = z.output<typeof canaryRecordSchema>

export const canaryStateSchema = z.object({
  version: z.literal(1),
  /** By function. */
  canaries: z.record(z.string(), canaryRecordSchema),
})

const shareSchema = z.object({
  value: z.number(),
  /** Wilson's, of 95 %. */
  interval: z.tuple([z.number(), z.number()]),
  count: z.int(),
})
const armViewSchema = z.object({
  /** Content hash of the version. */
  version: z.string(),
  requests: z.int(),
  errors: z.int(),
  /** Of run times. Unit: ms. */
  p50Ms: z.number().nullable(),
  p95Ms: z.number().nullable(),
  /** Of answers whose truth became known. */
  accuracy: shareSchema.nullable(),
})

export const canaryViewSchema = z.object({
  mode: z.enum(['canary', 'shadow']),
  /** Of the requests, from 0 to 1. */
  share: z.number(),
  startedAt: z.string(),
  /** Requests on the candidate, of how many. */
  progress: z.object({ requests: z.int(), of: z.int(), activeMs: z.number(), forMs: z.number() }),
  current: armViewSchema,
  candidate: armViewSchema,
  /** Shadow: answers of both to the same requests, and requests for which no slot was free. */
  agreement: z.object({ same: z.int(), different: z.int(), skipped: z.int() }).nullable(),
  /** How it stands: what speaks for the candidate, or against it. */
  reasons: z.array(z.string()),
})
export type CanaryView = z.output<typeof canaryViewSchema>

export function canaryView(record: CanaryRecord, decision: CanaryDecision = judgeCanary(record)): CanaryView {
  const { counts, options, startedAt, activeMs } = record
  const { mode, share, requests, forMs } = options
  const { same, different } = counts.agreement
  return {
    ...{ mode, share, startedAt },
    progress: { requests: counts.candidate.requests, of: requests, activeMs: Math.round(activeMs), forMs },
    current: armView(record.current, counts.current),
    candidate: armView(record.candidate, counts.candidate),
    agreement: mode === 'shadow' ? { same, different, skipped: counts.skipped } : null,
    reasons: decision.reasons,
  }
}

function armView(version: string, { requests, errors, runMs, right, labelled }: ArmCounts) {
  const accuracy: Share | undefined = wilsonShare(right, labelled)
  return {
    ...{ version, requests, errors },
    p50Ms: quantileOf(runMs, 0.5) ?? null,
    p95Ms: quantileOf(runMs, 0.95) ?? null,
    accuracy: accuracy ?? null,
  }
}
