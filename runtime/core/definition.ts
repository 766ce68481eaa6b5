/**
 * What function authors write: the shapes of a function and of its retraining, and the functions that make
 * them. Plain data plus handlers; nothing here runs anything. Checking is in definition-schema.ts.
 */
import type { Tensor } from 'onnxruntime-node'
import type { z } from 'zod'

/** A model of a function: a file beside it, or a file of an npm package. */
export interface ModelSpec {
  /**
   * Relative to the function's folder, or `npm:<package>/<file>`: an ONNX file, or a TensorFlow.js model
   * (`model.json`), which is imported when the function is deployed.
   */
  path: string
  /** Layers or nodes where a TensorFlow.js model shall end. Default: its own outputs. */
  outputs?: readonly string[]
  /**
   * An ONNX file whose only input takes the model's only output: a last layer that was trained on its features. Where it
   * lies is said as in `path`. Default: none.
   */
  head?: string
  /**
   * Class names in the order of the model's outputs: the list itself, or where it lies, said as in `path`: a JSON file of
   * it, or a `.txt` file of one a line. Default: none.
   */
  labels?: readonly string[] | string
}

/** How a posted picture becomes the tensor that the handler gets. Made by {@link image}. */
export interface ImageInput {
  kind: 'image'
  /** Pixels of the tensor. */
  width: number
  height: number
  /** `cover` crops, `contain` pads with `background`, `fill` ignores the aspect ratio. */
  fit: 'cover' | 'contain' | 'fill'
  /** Which part stays when cropping, or where the picture sits when padding. */
  position: 'center' | 'left' | 'right' | 'top' | 'bottom'
  /** Colour of padding, 0 to 255 a channel, in the order red, green, blue. */
  background: readonly [number, number, number]
  channels: 'rgb' | 'bgr' | 'gray'
  /** value = (byte / 255 - mean) / std, a number a channel in the order of `channels`. */
  mean: readonly number[]
  std: readonly number[]
  /** A larger picture is refused before it is decoded. Unit: pixels. */
  maxPixels: number
}

export interface ImageOptions {
  width: number
  height: number
  /** Default `cover`. */
  fit?: ImageInput['fit']
  /** Default `center`. */
  position?: ImageInput['position']
  /** Default black. With `contain`, choose the colour that the model was trained with. */
  background?: readonly [number, number, number]
  /** Default `rgb`. */
  channels?: ImageInput['channels']
  /** One number, or one a channel. Default 0. */
  mean?: number | readonly number[]
  /** One number, or one a channel. Default 1. */
  std?: number | readonly number[]
  /** Default 50 million. */
  maxPixels?: number
}

/**
 * Declares that a function takes a JPEG, PNG or WebP picture. The handler gets it as a float32 tensor
 * `[1, channels, height, width]`, upright by its EXIF orientation.
 *
 * @example
 * input: image({ width: 224, height: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] })
 */
export function image(options: ImageOptions): ImageInput {
  const channels = options.channels ?? 'rgb'
  const count = channels === 'gray' ? 1 : 3
  const perChannel = (value: number | readonly number[]) =>
    typeof value === 'number' ? Array<number>(count).fill(value) : value
  return {
    kind: 'image',
    width: options.width,
    height: options.height,
    fit: options.fit ?? 'cover',
    position: options.position ?? 'center',
    background: options.background ?? [0, 0, 0],
    channels,
    mean: perChannel(options.mean ?? 0),
    std: perChannel(options.std ?? 1),
    maxPixels: options.maxPixels ?? 50_000_000,
  }
}

/** A class and its probability, from 0 to 1. */
export interface Classification {
  label: string
  index: number
  score: number
}

/** A tensor to feed: an onnxruntime tensor, or float32 data with its shape. */
export type Feed = Tensor | { data: Float32Array; dims: readonly number[] }

/** A loaded model, as a handler sees it. */
export interface ModelHandle {
  readonly labels: readonly string[]
  readonly inputNames: readonly string[]
  readonly outputNames: readonly string[]
  /** Content hash of the weights that answer now. */
  readonly version: string
  /** Runs the model. Feeds and results are keyed by the graph's input and output names. */
  run(feeds: Record<string, Feed>): Promise<Record<string, Tensor>>
  /**
   * The best class of an output `[1, K]` of this model. Softmax is applied unless the graph ends in one.
   * Throws when the output is missing, and names those that exist.
   */
  top1(output: Tensor | undefined): Classification
  /** The best `k` classes, best first. */
  topK(output: Tensor | undefined, k: number): Classification[]
}

/** Structured log lines that carry the request's id. */
export interface FunctionLog {
  debug(message: string, fields?: Record<string, unknown>): void
  info(message: string, fields?: Record<string, unknown>): void
  warn(message: string, fields?: Record<string, unknown>): void
  error(message: string, fields?: Record<string, unknown>): void
}

/**
 * `http`: a caller that waits; `async`: one that does not, and the request may come again after a crash; `schedule`: the
 * clock, for a tick that was due `at` (ISO 8601), or the operator by hand, then at that moment.
 */
export type Trigger = { kind: 'http' } | { kind: 'async' } | { kind: 'schedule'; at: string }

export interface FunctionContext<Models extends string = string> {
  models: Record<Models, ModelHandle>
  /** The variables that the definition names in `env`, where they are set. */
  env: Readonly<Record<string, string | undefined>>
  /**
   * Absolute path of a folder for the function's own data: under the data directory, made when it is first asked for, the
   * same for every deployment of the function, and for all its threads at once.
   *
   * @example
   * const file = join(context.dataFolder, 'last.json')
   * await writeFile(`${file}.${context.requestId}`, JSON.stringify({ seen: Date.now() }))
   * await rename(`${file}.${context.requestId}`, file) // other threads see the one before or this one, never a part
   */
  dataFolder: string
  /** Aborts at the request's deadline. */
  signal: AbortSignal
  log: FunctionLog
  requestId: string
  /** What called the function. */
  trigger: Trigger
  deployment: { function: string; version: string }
}

/** What `init` and `dispose` get. */
export interface LifecycleContext<Models extends string = string> {
  models: Record<Models, ModelHandle>
  /** The variables that the definition names in `env`, where they are set. */
  env: Readonly<Record<string, string | undefined>>
  /** See {@link FunctionContext}. */
  dataFolder: string
  log: FunctionLog
  /** Aborts when this deployment is unloaded from the thread, before `dispose`: for what `init` leaves running. */
  signal: AbortSignal
  deployment: { function: string; version: string }
}

export type InputSpec = ImageInput | z.ZodType

/**
 * What the handler gets: pixels for `image(...)`, the raw body when left out, and for a schema parsed JSON, or the fields
 * of a form: text as string, files as `File` (`z.file()`), and several of one name as an array.
 */
export type InputOf<Input> = Input extends ImageInput
  ? Tensor
  : Input extends z.ZodType
    ? z.output<Input>
    : Uint8Array

/** When a function is called by the clock. */
export interface ScheduleOptions {
  /** 5 or 6 fields, as croner reads them. */
  cron: string
  /** IANA name, such as `Europe/Berlin`. Default: the box's own. */
  timeZone?: string
  /** Run once at the start when ticks were missed while the box was off. Default false. */
  catchUp?: boolean
}

/** Which pages of other origins may call a function from a browser. */
export interface CorsOptions {
  /** Such as `['https://app.example']`; `*` is any. */
  origins: readonly string[] | '*'
  /** Request headers that a page may set. Default: those that it asks for. */
  headers?: readonly string[]
  /** Response headers that a page may read. Default: `x-request-id`, `x-corun-version` and `server-timing`. */
  exposeHeaders?: readonly string[]
  /** Whether cookies and authorization go along; not with `*`. Default false. */
  credentials?: boolean
  /** How long a browser may remember the answer to a preflight. Unit: s. Default 600. */
  maxAge?: number
}

/** Which pictures are kept for a while, so that feedback has something to attach to. */
export interface CaptureOptions {
  /** Share of all requests, 0 to 1. Default 0. */
  share?: number
  /**
   * Share of the requests whose top probability is below a bound: `{ below, share }`, or the share alone for the default
   * bound of 0.7. `share` is 1 when left out. Default 0.
   */
  uncertain?: number | { below?: number; share?: number }
  /** Default 168, a week. */
  keepHours?: number
  /** The most bytes that they take; the oldest go first. Default 256 MiB. */
  maxBytes?: number
}

/** How requests are held against the first ones that a version answered, or against its reference pictures. */
export interface DriftOptions {
  /** Requests that the reference is made from; of pictures at most so many. Default 1,000. */
  reference?: number
  /**
   * `pictures`: what a version says to those of the retraining's `reference` pictures that teach nothing (a third), at least
   * 100 of them, is its reference as soon as it serves. They have to come as requests do, the share of each class too.
   * Default `requests`: the first ones.
   */
  from?: 'requests' | 'pictures'
  /** Expected number of false alarms in 1,000 requests. Default 0.001: one in a million. */
  falseAlarms?: number
}

export interface FunctionOptions<Models extends string = string> {
  description?: string
  /** For models with labels. Default: on, with the defaults of its options. */
  drift?: false | DriftOptions
  /** Names of environment variables that the function gets as `context.env`. Default: none. */
  env?: readonly string[]
  /**
   * Called once in each thread when the function's models are loaded and warm, before its first request there. What it
   * throws keeps the deployment from serving; so does more than 30 seconds.
   *
   * @example
   * let places: Map<string, string>
   * export default defineFunction({
   *   env: ['PLACES_URL'],
   *   async init({ env, signal }) {
   *     const answer = await fetch(env.PLACES_URL ?? 'http://localhost:9000/places', { signal })
   *     places = new Map(Object.entries(await answer.json()))
   *   },
   *   handler: () => ({ known: places.size }),
   * })
   */
  init?(context: LifecycleContext<Models>): void | Promise<void>
  /**
   * Called once in each thread when the deployment is unloaded there, after its last request; it has 5 seconds.
   *
   * @example
   * const timers = new Set<NodeJS.Timeout>()
   * export default defineFunction({
   *   init: () => void timers.add(setInterval(() => console.error('still here'), 60_000)),
   *   dispose: () => timers.forEach(clearInterval),
   *   handler: () => ({ timers: timers.size }),
   * })
   */
  dispose?(context: LifecycleContext<Models>): void | Promise<void>
  /** From arrival to answer, queueing included. Default 10,000. */
  timeoutMs?: number
  /** Requests of this function in the queue and running; more are answered 429. Default: the box's bound alone. */
  maxInFlight?: number
  /** `key`: callers need a key of this function (`corun keys make`). Default: anybody may call. */
  auth?: 'key'
  /** Default: pages of other origins may not, unless the server's `--cors-origins` lets them. */
  cors?: CorsOptions
  /**
   * A cron pattern, or one with its options: the function is called with an empty POST, and `trigger` in its context
   * says when it was due. A run that has not ended when the next is due is not overlapped.
   */
  schedule?: string | ScheduleOptions
}

export interface HandlerDefinition<
  Models extends string = string,
  Input extends InputSpec | undefined = InputSpec | undefined,
  Output extends z.ZodType | undefined = z.ZodType | undefined,
> extends FunctionOptions<Models> {
  models?: Record<Models, ModelSpec>
  input?: Input
  output?: Output
  /**
   * For `image(...)`: one request may bring up to `max` pictures, as a JSON array of base64 strings or as several parts
   * of a form, and gets a JSON array back. The handler is called for each, and their model calls share runs.
   */
  batch?: { max: number }
  /** For `image(...)` and models with labels. Default: nothing is kept of a request. */
  capture?: CaptureOptions
  handler(
    input: InputOf<Input>,
    context: FunctionContext<Models>,
  ): Output extends z.ZodType ? z.input<Output> | Promise<z.input<Output>> : unknown
}

export interface FetchDefinition<Models extends string = string> extends FunctionOptions<Models> {
  models?: Record<Models, ModelSpec>
  fetch(request: Request, context: FunctionContext<Models>): Response | Promise<Response>
}

/** A web-standard handler, the shortest form of a function. */
export type FetchHandler = FetchDefinition['fetch']

/**
 * Defines a function with a declared input, or a web handler with models.
 *
 * @example
 * export default defineFunction({
 *   input: z.object({ name: z.string() }),
 *   output: z.object({ greeting: z.string() }),
 *   handler: ({ name }) => ({ greeting: `hello ${name}` }),
 * })
 */
export function defineFunction<
  Models extends string = never,
  Input extends InputSpec | undefined = undefined,
  Output extends z.ZodType | undefined = undefined,
>(definition: HandlerDefinition<Models, Input, Output>): HandlerDefinition<Models, Input, Output>
export function defineFunction<Models extends string = never>(
  definition: FetchDefinition<Models>,
): FetchDefinition<Models>
export function defineFunction(definition: object): object {
  return definition
}
