/** What pool threads are asked and what they answer, as discriminated unions. Both ends are of one program: typed, not checked. */
import type { MessagePort } from 'node:worker_threads'
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
  /** What a `dispose` may take. Default 5,000. Unit: ms. */
  disposeLimitMs?: number
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
  /** `function`: whose deployment it is, where that is known. */
  | { type: 'unload'; deploymentId: string; function?: string }
  | ({ type: 'invoke'; deployment: Deployment | DeploymentName } & InvocationCall)
  /** `port` takes lists of {@link BatchReply}: those that were answered in one turn of the thread together. */
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
