/** A measured profile (contract 4): its schema, its key, and whether it fits this box and these models. */
import { createHash } from 'node:crypto'
import { z } from 'zod'

const latencySchema = z.object({ p50: z.number(), p95: z.number(), p99: z.number() })

/** One measured point. Times in milliseconds, rates a second, memory in bytes. */
export const measuredPointSchema = z.object({
  /** Concurrent inferences: pool threads, a closed loop on each. */
  threads: z.int().min(1),
  intraOpThreads: z.int().min(1),
  batch: z.int().min(1),
  training: z.boolean(),
  /** False: memory ran out, and there are no figures. */
  fits: z.boolean().default(true),
  /** Whether three windows in a row agreed within 10 %, in rate and in p95. */
  stable: z.boolean().default(true),
  requests: z.int(),
  failed: z.int(),
  /** Inferences a second. */
  throughput: z.number(),
  latencyMs: latencySchema,
  /** The serving process at its peak, and the trainer's when it ran. */
  peakMemoryBytes: z.int(),
  trainingStepsPerSecond: z.number().nullable(),
  epochSeconds: z.number().nullable(),
})
export type MeasuredPoint = z.output<typeof measuredPointSchema>

const operatingPointSchema = z.object({
  threads: z.int().min(1),
  intraOpThreads: z.int().min(1),
  /** The most requests of one function that go to a thread together when all are busy. */
  batch: z.int().min(1).default(1),
  /** Why this point and not the next. */
  reason: z.string(),
})

export const profileSchema = z.object({
  version: z.literal(1),
  createdAt: z.string(),
  /** What makes the profile stale when it changes. */
  key: z.object({
    device: z.string(),
    provider: z.string(),
    onnxruntime: z.string(),
    /** Content hashes of the functions' base models, by model id. Retraining changes weights alone, not these. */
    models: z.record(z.string(), z.string()),
  }),
  /** Shares of the functions in the load. */
  workload: z.record(z.string(), z.number()),
  bounds: z.object({
    /** p95 may grow to this multiple of the p95 of one inference alone. */
    latencyRatio: z.number(),
    memoryBudgetBytes: z.int(),
  }),
  /** Training steps a second with no inference beside; null where nothing can be trained. */
  trainingAlone: z.object({ stepsPerSecond: z.number(), epochSeconds: z.number().nullable() }).nullable(),
  points: z.array(measuredPointSchema),
  alone: operatingPointSchema,
  besideTraining: operatingPointSchema,
})
export type Profile = z.output<typeof profileSchema>
export type ProfileKey = Profile['key']

/** The first difference that makes a profile unfit, in words; undefined when it fits. */
export function staleReason(profileKey: ProfileKey, present: ProfileKey): string | undefined {
  for (const field of ['device', 'provider', 'onnxruntime'] as const) {
    if (profileKey[field] !== present[field]) {
      return `it was measured with ${field} "${profileKey[field]}", here it is "${present[field]}"`
    }
  }
  for (const [id, hash] of Object.entries(present.models)) {
    const measured = profileKey.models[id]
    if (measured === undefined) return `model "${id}" was not measured`
    if (measured !== hash) return `model "${id}" has changed since`
  }
  return undefined
}

const slug = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')

/** `<device>-<workload>.json`. Long workloads are named by a hash, so that the name stays a file name. */
export function profileFileName(device: string, workload: readonly string[]): string {
  const joined = [...workload].sort().join('+')
  const name = joined.length <= 60 ? joined : createHash('sha256').update(joined).digest('hex').slice(0, 12)
  return `${slug(device)}-${slug(name)}.json`
}
