/** A measured profile (contract 4): its schema, its key, and whether it fits this box and these models. */
import { createHash } from 'node:crypto'
import { z } from 'zod'

/** Milliseconds. */
const percentilesSchema = z.object({ p50: z.number(), p95: z.number(), p99: z.number() })
export type Percentiles = z.output<typeof percentilesSchema>

/** One measured point. Times in milliseconds unless named otherwise, rates a second, memory in bytes. */
export const measuredPointSchema = z.object({
  /** Concurrent inferences: pool threads, a closed loop on each. */
  threads: z.int().min(1),
  intraOpThreads: z.int().min(1),
  batch: z.int().min(1),
  training: z.boolean(),
  /** Intra-op threads of the trainer beside; null alone. */
  trainerThreads: z.int().min(1).nullable(),
  /** Pictures that its step takes at once; null alone. */
  microBatch: z.int().min(1).nullable(),
  /** Poisson arrivals a second (open loop); null: a closed loop, at the concurrency of the point. */
  rate: z.number().positive().nullable(),
  /** False: memory ran out, and there are no figures. */
  fits: z.boolean(),
  /** Whether three windows in a row agreed within 10 %, in rate and in p95. */
  stable: z.boolean(),
  requests: z.int(),
  failed: z.int(),
  /** Inferences a second. */
  throughput: z.number(),
  /** Of a request, from its intended start to its answer. */
  latencyMs: percentilesSchema,
  /** Of its waiting, for a thread and on the way to it and back. */
  queueMs: percentilesSchema,
  /** Of its run in a thread: decoding, model and handler. */
  runMs: percentilesSchema,
  /** Processor time of the serving process, in all its threads. */
  cpuSecondsPerInference: z.number(),
  /** The serving process at its peak, and the trainer's when it ran: resident memory of the host. */
  peakMemoryBytes: z.int(),
  /** What the accelerator had taken at its peak, over what it had before; null where it does not tell. */
  deviceMemoryBytes: z.int().nullable(),
  trainingStepsPerSecond: z.number().nullable(),
  /** Null alone, and where not a single step was made. */
  epochSeconds: z.number().nullable(),
})
export type MeasuredPoint = z.output<typeof measuredPointSchema>

const operatingPointSchema = z.object({
  threads: z.int().min(1),
  intraOpThreads: z.int().min(1),
  /** The most requests of one function that go to a thread together when all are busy. */
  batch: z.int().min(1),
  /** How the trainer runs beside; null alone, and where nothing can be trained. */
  trainer: z
    .object({
      threads: z.int().min(1),
      /** Of the retraining of this function; another's batch is another. */
      microBatch: z.int().min(1),
      function: z.string(),
    })
    .nullable(),
  /** Why this point and not the next. */
  reason: z.string(),
})

/** Where the shares of a load are from: `--mix`, what the server was asked, or neither was there. */
export const mixSources = ['asked', 'observed', 'equal'] as const
export type MixSource = (typeof mixSources)[number]

export const objectives = ['throughput', 'latency', 'training'] as const
export type Objective = (typeof objectives)[number]
export const percentileNames = ['p50', 'p95', 'p99'] as const
export type PercentileName = (typeof percentileNames)[number]

/** What the percentile may be: a multiple of that of one inference alone, or milliseconds. */
export const latencyBoundSchema = z.union([
  z.object({ ratio: z.number().positive() }),
  z.object({ ms: z.number().positive() }),
])
export type LatencyBound = z.output<typeof latencyBoundSchema>

export const boundsSchema = z.object({
  latency: latencyBoundSchema,
  /** Which percentile the latency bound is of. */
  percentile: z.enum(percentileNames),
  /** Of the host, for serving and training together. */
  memoryBudgetBytes: z.int(),
  /** Of the accelerator's memory; null where it does not tell. */
  deviceBudgetBytes: z.int().nullable(),
  /** An epoch beside the expected load may take this multiple of one alone. */
  maxEpochStretch: z.number().positive(),
  /**
   * The expected load, in requests a second, where it was asked for; null: a quarter of what is served alone. Profiles of
   * before the stretch was judged beside a load lack it.
   */
  rate: z.number().positive().nullish(),
})
export type Bounds = z.output<typeof boundsSchema>

/** Training with no inference beside it. */
export const trainingAloneSchema = z.object({
  function: z.string(),
  threads: z.int().min(1),
  microBatch: z.int().min(1),
  stepsPerSecond: z.number(),
  epochSeconds: z.number().nullable(),
  peakMemoryBytes: z.int(),
  deviceMemoryBytes: z.int().nullable(),
})
export type TrainingAlone = z.output<typeof trainingAloneSchema>

/** Memory of the weights of a model, as far as it can be told from its files. */
export const profiledModelSchema = z.object({
  /** `shared`: one copy for all threads. `plain`: a copy in each. */
  weights: z.enum(['shared', 'plain']),
  /** Why that form. */
  why: z.string(),
  /** Of one copy. */
  weightBytes: z.int(),
})
export type ProfiledModel = z.output<typeof profiledModelSchema>

/** Of the file's form. A file of another version is refused: what it lacks cannot be made up. */
export const profileVersion = 2

export const profileSchema = z.object({
  version: z.literal(profileVersion),
  createdAt: z.string(),
  /** What makes the profile stale when it changes. */
  key: z.object({
    device: z.string(),
    provider: z.string(),
    onnxruntime: z.string(),
    /** Content hashes of the functions' base models, by model id. Retraining changes weights alone, not these. */
    models: z.record(z.string(), z.string()),
  }),
  /** Shares of the functions in the load. They sum up to 1. */
  workload: z.record(z.string(), z.number()),
  /** Where they are from; missing in profiles of before this was told. */
  mix: z.enum(mixSources).optional(),
  /** By the ids of the models under load; profiles of before it was measured lack it. */
  models: z.record(z.string(), profiledModelSchema).optional(),
  objective: z.enum(objectives),
  bounds: boundsSchema,
  search: z.object({
    mode: z.enum(['quick', 'exhaustive']),
    /** Points of the whole grid. */
    grid: z.int(),
    /** Measurements that were made, repeats among them. */
    measurements: z.int(),
    seconds: z.number(),
    /** What was not measured, and why. */
    leftOut: z.array(z.string()),
  }),
  /** Null where nothing can be trained. */
  trainingAlone: trainingAloneSchema.nullable(),
  points: z.array(measuredPointSchema),
  alone: operatingPointSchema,
  besideTraining: operatingPointSchema,
})
export type Profile = z.output<typeof profileSchema>
export type ProfileKey = Profile['key']
export type ProfiledOperatingPoint = z.output<typeof operatingPointSchema>

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
