/** What the server and the trainer, a process of its own, say to each other: checked where it arrives. */
import { z } from 'zod'
import type { ImageInput } from './definition.ts'
import type { SerializedError } from './errors.ts'

const labelledFileSchema = z.object({ file: z.string(), label: z.string() })
export type LabelledFile = z.output<typeof labelledFileSchema>

/** Accuracy over `count` pictures, as accept of a retraining means it; null when there are none. */
export const evaluationSchema = z.object({ accuracy: z.number().nullable(), count: z.int() })
export type Evaluation = z.output<typeof evaluationSchema>

/** Pictures on which a second model does better than a first, worse, and as well. */
export const comparisonSchema = z.object({ better: z.int(), worse: z.int(), equal: z.int() })
export type Comparison = z.output<typeof comparisonSchema>

/** What two models take for one picture in warm sessions, in turns. */
export const latencySchema = z.object({
  /** Medians of the best round. Unit: ms. */
  beforeMs: z.number(),
  afterMs: z.number(),
  /** after / before. */
  ratio: z.number(),
  /** Rounds that it took. */
  rounds: z.int(),
})
export type Latency = z.output<typeof latencySchema>

export const trainerJobSchema = z.object({
  runId: z.string(),
  /** The interrupted run whose data and checkpoint it has. */
  continues: z.string().optional(),
  function: z.string(),
  /** Built retrain.ts: the trainer imports it for what is code (a `trainable` predicate). */
  bundle: z.string(),
  /** The current version of the model. */
  model: z.object({
    file: z.string(),
    inputName: z.string(),
    outputName: z.string(),
    labels: z.array(z.string()),
  }),
  /** Classes of the candidate; where they are not the model's, it gets a last layer with as many. */
  labels: z.array(z.string()),
  image: z.custom<ImageInput>(),
  training: z.array(labelledFileSchema),
  /** Reference pictures that are mixed into training. */
  replay: z.array(labelledFileSchema),
  /** Says after each epoch how well it did. */
  validation: z.array(labelledFileSchema),
  /** Samples that only judge. */
  heldOut: z.array(labelledFileSchema),
  referenceHeldOut: z.array(labelledFileSchema),
  /** Versions with the same classes that served before: one that fits the new samples is the candidate. */
  earlier: z
    .array(z.object({ sha256: z.string(), file: z.string(), labels: z.array(z.string()) }))
    .optional(),
  /** Where the candidate is written. */
  candidateFile: z.string(),
  /** Where the training keeps what it needs to go on after an interruption; it cannot when left out. */
  checkpointFolder: z.string().optional(),
  provider: z.string(),
  threads: z.int().min(1),
  /** What the trainer may take of memory; no bound when left out. */
  memoryBytes: z.int().min(1).optional(),
  /** The most pictures at once, whatever fits. */
  microBatch: z.int().min(1).optional(),
  /** Train for ever on the data and report steps, without evaluation: the load that the profile measures beside. */
  loop: z.boolean(),
  /** Asks before each step whether requests leave it room, and waits for `go`. Default: it does not ask. */
  asks: z.boolean().optional(),
})
export type TrainerJob = z.output<typeof trainerJobSchema>

/** One epoch of a run's curves. */
export const epochSchema = z.object({
  /** From 1. */
  epoch: z.int(),
  /** Mean training loss. */
  loss: z.number(),
  /** What its steps took, without waiting. */
  seconds: z.number(),
  /** After it, on the validation samples; null where there are too few. */
  validation: z.object({ loss: z.number(), accuracy: z.number(), count: z.int() }).nullable(),
})

/** `go` answers an `ask`. */
export const trainerCommandSchema = z.object({ type: z.enum(['pause', 'resume', 'stop', 'go']) })
export type TrainerCommand = z.output<typeof trainerCommandSchema>

/** What the trainer process says. It ends by itself after `done`, `stopped` or `failed`. */
export const trainerEventSchema = z.discriminatedUnion('type', [
  /**
   * `microBatch`: pictures at once; a step is made of as many as the batch needs. `resumedAt`: the steps that an
   * interrupted process had made and that are not made again.
   */
  z.object({
    type: z.literal('ready'),
    parameters: z.int(),
    stepsPerEpoch: z.int(),
    microBatch: z.int(),
    resumedAt: z.int().optional(),
  }),
  z.object({
    type: z.literal('progress'),
    epoch: z.int(),
    epochs: z.int(),
    step: z.int(),
    steps: z.int(),
    loss: z.number(),
    /** Mean over the steps since the last report. */
    stepMs: z.number(),
  }),
  /** An epoch is over; where a training goes on, those before are told again. */
  z.object({ type: z.literal('epoch'), epochs: z.int(), ...epochSchema.shape }),
  /** From now on an interrupted training goes on after `step` steps. */
  z.object({ type: z.literal('checkpoint'), step: z.int() }),
  /** The next step waits for `go`. */
  z.object({ type: z.literal('ask') }),
  z.object({ type: z.literal('evaluating') }),
  z.object({
    type: z.literal('done'),
    candidateFile: z.string(),
    /** Content hash of the version that the candidate is, where one that served before fits. */
    earlier: z.string().optional(),
    /** Mean training loss of each epoch. */
    losses: z.array(z.number()),
    epochSeconds: z.array(z.number()),
    /** Whose weights the candidate has; null where nothing told epochs apart. */
    bestEpoch: z.int().nullable(),
    peakMemoryBytes: z.int(),
    before: z.object({ heldOut: evaluationSchema, reference: evaluationSchema }),
    after: z.object({ heldOut: evaluationSchema, reference: evaluationSchema }),
    comparison: z.object({ heldOut: comparisonSchema, reference: comparisonSchema }),
    latency: latencySchema,
  }),
  z.object({ type: z.literal('stopped') }),
  z.object({ type: z.literal('failed'), error: z.custom<SerializedError>() }),
])
export type TrainerEvent = z.output<typeof trainerEventSchema>
