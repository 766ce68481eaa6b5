/** A retraining run as it is recorded and shown. */
import { z } from 'zod'
import { canaryViewSchema } from '../canary/record.ts'
import { comparisonSchema, epochSchema, evaluationSchema, latencySchema } from '../core/trainer-messages.ts'
import { yieldReportSchema } from '../yielding/report.ts'

const metricsSchema = z.object({ heldOut: evaluationSchema, reference: evaluationSchema })

/** The trainer was started again, with fewer pictures at once, after memory had run out. */
export const relaunchSchema = z.object({ microBatch: z.int().min(1), why: z.string(), at: z.string() })

const findingSchema = z.object({
  check: z.enum(['gain', 'forgetting', 'latency']),
  good: z.boolean(),
  reason: z.string(),
})

/** Runs in one of these states are over. */
const endStates = ['promoted', 'rejected', 'failed', 'cancelled', 'interrupted'] as const
export type EndState = (typeof endStates)[number]

export const runRecordSchema = z.object({
  id: z.string(),
  function: z.string(),
  /** `<function>.<model name>`. */
  model: z.string(),
  by: z.enum(['operator', 'schedule', 'drift']),
  /** Why it was started, for people. */
  why: z.string().default(''),
  /** `canary`: its candidate is tried on live requests, and it is over when that is. */
  state: z.enum(['queued', 'preparing', 'training', 'evaluating', 'canary', ...endStates]),
  paused: z.boolean(),
  /** When it was asked for; it may have waited for another one. ISO 8601. */
  startedAt: z.string(),
  endedAt: z.string().nullable(),
  /** From start to end. */
  seconds: z.number().nullable(),
  /** Content hash of the version that training started from. */
  parent: z.string(),
  /** Pictures: samples of each part of the split (`heldOut`: of the test), reference pictures likewise. */
  samples: z.object({
    training: z.int(),
    validation: z.int().default(0),
    heldOut: z.int(),
    reference: z.int(),
    referenceHeldOut: z.int(),
  }),
  progress: z
    .object({
      epoch: z.int(),
      epochs: z.int(),
      step: z.int(),
      steps: z.int(),
      loss: z.number(),
      stepMs: z.number(),
    })
    .nullable(),
  /** Mean training loss of each epoch. */
  losses: z.array(z.number()),
  epochSeconds: z.array(z.number()),
  /** What each epoch came to, on what it was trained on and on the validation samples. */
  curve: z.array(epochSchema).default([]),
  /** Whose weights the candidate has; null where nothing told epochs apart. */
  bestEpoch: z.int().nullable().default(null),
  peakMemoryBytes: z.int().nullable(),
  before: metricsSchema.nullable(),
  after: metricsSchema.nullable(),
  /** Both versions, picture by picture. */
  comparison: z.object({ heldOut: comparisonSchema, reference: comparisonSchema }).nullable().default(null),
  latency: latencySchema.nullable().default(null),
  decision: z
    .object({
      promote: z.boolean(),
      reasons: z.array(z.string()),
      checks: z.array(findingSchema).default([]),
    })
    .nullable(),
  /** Content hash of the candidate. */
  candidate: z.string().nullable(),
  /** How its trial on live requests stands, or ended; null: it has had none. */
  canary: canaryViewSchema.nullable().default(null),
  relaunches: z.array(relaunchSchema).default([]),
  /** How much it waited; null before its trainer was started. */
  yielded: yieldReportSchema.nullable().default(null),
  /** Of everything that was drawn by chance. */
  seed: z.int().nullable().default(null),
  /** The interrupted run that it goes on with: at which step, and how often in a row from there. */
  resumes: z.object({ run: z.string(), step: z.int(), tries: z.int() }).nullable().default(null),
  /** Interrupted, and to be gone on with by another run when the server starts. */
  goesOn: z.boolean().default(false),
  /** What is worth knowing of how it went, for people. */
  notes: z.array(z.string()).default([]),
  /** Why it ended as it did, for people. */
  reason: z.string().nullable().default(null),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
})
export type RunRecord = z.output<typeof runRecordSchema>

export const isOver = ({ state }: RunRecord): boolean => endStates.some(end => end === state)

export type NewRun = Pick<
  RunRecord,
  'id' | 'function' | 'model' | 'by' | 'why' | 'startedAt' | 'parent' | 'samples' | 'seed'
>

export function newRun(fields: NewRun): RunRecord {
  return {
    ...fields,
    state: 'queued',
    paused: false,
    endedAt: null,
    seconds: null,
    progress: null,
    losses: [],
    epochSeconds: [],
    peakMemoryBytes: null,
    before: null,
    after: null,
    comparison: null,
    latency: null,
    curve: [],
    bestEpoch: null,
    decision: null,
    candidate: null,
    canary: null,
    relaunches: [],
    yielded: null,
    resumes: null,
    goesOn: false,
    notes: [],
    reason: null,
    error: null,
  }
}
