/**
 * Every message that crosses a thread or process border, as discriminated unions.
 * Pool tasks stay inside one program and are typed only; what comes from another process is checked by zod.
 */
import type { MessagePort } from 'node:worker_threads'
import { z } from 'zod'
import type { Config, Provider } from './config.ts'
import type { ImageInput, Trigger } from './definition.ts'
import type { FunctionDescription, RetrainingDescription } from './definition-schema.ts'
import type { Deployment, PreparedModel } from './deployment.ts'
import type { ErrorCode, SerializedError } from './errors.ts'

/** A request as it travels into a thread. The body's buffer is transferred, not copied. */
export interface InvocationRequest {
  requestId: string
  method: string
  /** Absolute URL as the client sent it. */
  url: string
  headers: [string, string][]
  body: Uint8Array
  /** Default: `http`. */
  trigger?: Trigger
}

/** A request on its way into a thread. */
export interface InvocationCall {
  /** Tells the calls of one server apart. Without one, an answer is only given whole. */
  key?: number
  request: InvocationRequest
  /** What its deadline leaves for the run. */
  remainingMs: number
}

/** What a pool thread is told when it starts. */
export interface ThreadSettings {
  /** See device/native-gate.ts. */
  gate: SharedArrayBuffer
  provider: Provider
  intraOpThreads: number
  /** The most requests that go to a thread together: above 1, models are tried with two rows when they are loaded. */
  batch: number
  /** Sizes of batches that the profile uses: models that take several rows are warmed with each. Default: none. */
  warmBatches?: readonly number[]
  logLevel: Config['logLevel']
}

/** What a thread says without being asked: an exception that nobody caught has left it in an unknown state. */
export interface ThreadNotice {
  type: 'spoiled'
  threadId: number
  /** Whose it was, where that is known. */
  function?: string | undefined
  requestId?: string | undefined
  error: SerializedError
}

/** A deployment, or for a thread that has loaded it, its name. */
export type DeploymentName = Pick<Deployment, 'id' | 'function'>

/** What pool threads are asked to do. */
export type PoolTask =
  | { type: 'describe'; function: string; bundle: string }
  | { type: 'describe-retraining'; function: string; bundle: string }
  /** Finds the form in which threads shall open each model; `folder` keeps what is made for it. */
  | { type: 'prepare'; deployment: Deployment; folder: string }
  | { type: 'load'; deployment: Deployment }
  | { type: 'unload'; deploymentId: string }
  | ({ type: 'invoke'; deployment: Deployment | DeploymentName } & InvocationCall)
  /** `port` takes a {@link BatchReply} for each of the calls, as soon as it is answered. */
  | {
      type: 'invoke-batch'
      deployment: Deployment | DeploymentName
      calls: InvocationCall[]
      port: MessagePort
    }
  | { type: 'check-image'; input: ImageInput; body: Uint8Array }

export interface AnswerHead {
  status: number
  headers: [string, string][]
}

/** What one run of a model with labels said. */
export interface ModelSaid {
  /** Id of the model, and content hash of the version that said it. */
  model: string
  version: string
  /** Place of the predicted class among the model's labels. */
  predicted: number
  /** Of the predicted class, 0 to 1. */
  probability: number
  /** What its last layer took in, folded to a few numbers; undefined where the model does not show it. */
  features?: Float32Array
}

/** A picture that a request brought, to be kept for a while. */
export interface CapturedPicture {
  body: Uint8Array
  /** As the decoder named it. */
  format: string
}

export interface InvocationAnswer extends AnswerHead {
  /** By the models that ran for it, in their order; of a long list the first ones. */
  said?: ModelSaid[]
  /** The request brought several pictures: what was said has no single one that it is about. */
  severalPictures?: boolean
  captured?: CapturedPicture
  body: Uint8Array
  /** The body left piece by piece, on the port of a {@link StreamStart}; the one here is empty. */
  streamed?: boolean
}

/** Sent by a thread when an answer begins before its end is known; its task ends when the stream has. */
export interface StreamStart {
  type: 'stream'
  /** Of the call that it answers. */
  key: number
  head: AnswerHead
  /** Takes a {@link StreamDemand}, gives the pieces of the body: bytes that own their buffer. */
  port: MessagePort
}

/** What the server asks of a stream: one more piece, or no more. */
export type StreamDemand = 'more' | 'stop'

/** Pieces that a thread may send before it is asked for more. */
export const streamWindow = 4

/** A line of a thread's log, which it has also written to standard error. */
export interface ThreadLogLine {
  type: 'log'
  line: string
}

/** Everything that a thread says beside the answers to its tasks. */
export type ThreadMessage = StreamStart | ThreadLogLine | ThreadNotice

/** What each kind of task answers. Errors are data: a thread never rejects for a reason that it knows. */
export interface PoolResults {
  describe: FunctionDescription
  'describe-retraining': RetrainingDescription
  /** By the models' names in the function. */
  prepare: { models: Record<string, PreparedModel> }
  load: { loadMs: number }
  unload: { unloaded: boolean }
  invoke: InvocationAnswer
  /** `outOfMemory`: a run of several rows did not fit, and its calls were run one by one. */
  'invoke-batch': { outOfMemory: boolean }
  'check-image': { format: string; width: number; height: number }
}

export type PoolReply<Type extends PoolTask['type'] = PoolTask['type']> =
  | { ok: true; result: PoolResults[Type]; runMs: number }
  /** `lost`: its thread ended before it answered. */
  | { ok: false; error: SerializedError; runMs: number; lost?: true }

/** The answer to one call of a batch, by its place in `calls`. */
export interface BatchReply {
  index: number
  reply: PoolReply<'invoke'>
}

/** What it is called when a task fails for a reason that nobody foresaw, or ends with its thread. */
export const failureCodes: Record<PoolTask['type'], ErrorCode> = {
  describe: 'invalid-definition',
  'describe-retraining': 'invalid-definition',
  prepare: 'model-load-failed',
  load: 'model-load-failed',
  unload: 'internal-error',
  invoke: 'handler-error',
  'invoke-batch': 'handler-error',
  'check-image': 'internal-error',
}

/** A picture for training or evaluation: its file, and its label as labels.ts reads it. */
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
  /** Where measurements of memory are kept from run to run; nowhere when left out. */
  memoryFile: z.string().optional(),
  /** Learn nothing: make a few steps with that many pictures at once, say `measured`, and end. */
  measure: z.int().min(1).optional(),
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

/** What the trainer process says. It ends by itself after `measured`, `done`, `stopped` or `failed`. */
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
  z.object({ type: z.literal('measured'), peakMemoryBytes: z.int() }),
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

/** What a serving process says to its supervisor: that it wants the port, and that it serves. */
export const servingNoticeSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('listen') }),
  z.object({ type: z.literal('ready'), url: z.string() }),
])
export type ServingNotice = z.output<typeof servingNoticeSchema>

/** What a supervisor says: `port` comes with the listening socket, `connection` with one that was kept. */
export const servingCommandSchema = z.object({ type: z.enum(['port', 'connection', 'stop']) })
export type ServingCommand = z.output<typeof servingCommandSchema>
