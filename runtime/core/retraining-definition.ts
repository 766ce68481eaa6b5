/**
 * What function authors write about retraining: its shape, and the functions that make its parts. Plain data; nothing here
 * runs anything. Checking is in definition-schema.ts.
 */
export interface SgdOptimizer {
  kind: 'sgd'
  learningRate: number
  momentum: number
  nesterov: boolean
  /** L2 penalty added to the gradient (not applied to biases and normalization parameters). */
  weightDecay: number
}

export interface AdamOptimizer {
  kind: 'adam'
  learningRate: number
  beta1: number
  beta2: number
  epsilon: number
  /** Decoupled from the gradient, as in AdamW (Loshchilov and Hutter, 2019). */
  weightDecay: number
}

export type Optimizer = SgdOptimizer | AdamOptimizer

/** Stochastic gradient descent with momentum. Defaults: rate 0.01, momentum 0.9, no decay. */
export function sgd(options: Partial<Omit<SgdOptimizer, 'kind'>> = {}): SgdOptimizer {
  return { kind: 'sgd', learningRate: 0.01, momentum: 0.9, nesterov: false, weightDecay: 0, ...options }
}

/** Adam (Kingma and Ba, 2015). Defaults: rate 1e-3, beta1 0.9, beta2 0.999, epsilon 1e-8, no decay. */
export function adam(options: Partial<Omit<AdamOptimizer, 'kind'>> = {}): AdamOptimizer {
  return {
    kind: 'adam',
    learningRate: 1e-3,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
    ...options,
  }
}

/**
 * Which parameters learn. `head` is the last layer that has weights; `{ lastBlocks: n }` is the head and the n blocks
 * before it, where a residual block or a stage that repeats counts as one.
 */
export type Trainable = 'head' | { lastBlocks: number } | 'all' | ((parameterName: string) => boolean)

/**
 * What a model learns, and so what a sample's label says:
 * - `softmax-cross-entropy`: one of the model's labels;
 * - `binary-cross-entropy`: those that apply, joined by commas, or nothing where none does;
 * - `mean-squared-error`: a number for each of the model's labels, joined by commas.
 */
export type Loss = 'softmax-cross-entropy' | 'binary-cross-entropy' | 'mean-squared-error'

/**
 * How pictures are varied while a model learns from them; each is drawn anew in every epoch. All are off by default, since
 * each may change what a picture shows: a mirrored arrow points the other way, and colour may be what a label says.
 */
export interface Augmentation {
  /** Mirrors every other picture, left to right. */
  flip?: boolean | undefined
  /** Up to this share of the sides is cut off, and the rest enlarged: 0.2 leaves 80 to 100 %. */
  crop?: number | undefined
  /** Each channel's light changes by up to this share: 0.2 gives gains of 0.8 to 1.2. */
  color?: number | undefined
  /** Exposure changes by up to so many stops: 1 gives half to double the light. */
  exposure?: number | undefined
  /** Blur with a Gaussian of up to this deviation. Unit: pixels of the tensor. */
  blur?: number | undefined
  /** Normal noise of up to this deviation, on light from 0 to 1. */
  noise?: number | undefined
}

/**
 * How a candidate is tried on live requests. It is taken back as soon as it is found worse, in errors, run times, or accuracy
 * where feedback comes, with at most 5 % that a candidate as good is taken back by chance; else it takes over when it has
 * had its requests or its time.
 *
 * @example
 * export default defineRetraining({ model: 'scene', canary: { share: 0.1, requests: 500 } })
 */
export interface CanaryOptions {
  /**
   * `canary`: it answers a share of the requests, drawn by their ids. `shadow`: it runs after the caller has been answered by
   * the version that serves, while a slot is free, and is only compared; a handler with side effects has them twice.
   * Default `canary`.
   */
  mode?: 'canary' | 'shadow'
  /** Of the requests, above 0; at most 0.9 where it answers them. Default 0.1. */
  share?: number
  /** Requests on it, after which it takes over. Default 500. */
  requests?: number
  /** Time after which it takes over with fewer, but not with less than 30. Unit: ms. Default a day. */
  forMs?: number
  /**
   * Share by which its runs may take longer. More than the gate allows by default: a version that answers few requests finds
   * colder caches. Default 0.25.
   */
  maxSlowdown?: number
}

export interface RetrainingDefinition {
  /** Which of this function's models. */
  model: string
  /** Cron pattern (5 or 6 fields, local time). Default: only by hand. */
  schedule?: string
  /**
   * A run also starts while the model has drifted, once there are enough samples and `cooldownHours` (default 24) have
   * passed since the last one started. Default: it does not.
   */
  onDrift?: boolean | { cooldownHours?: number }
  /** Default `all`. */
  trainable?: Trainable
  /** Default `softmax-cross-entropy`. */
  loss?: Loss
  /**
   * The classes that the next version shall tell apart, where they are not those of the version that serves. Its last
   * layer gets as many: weights of the classes that stay are kept, others begin anew. `open`: a label that is not known
   * yet may be posted, and becomes a class when enough samples carry it. Default: the model's labels.
   */
  labels?: readonly string[] | 'open'
  /** Default `adam()`. */
  optimizer?: Optimizer
  /** Greatest norm of all gradients of a step together; longer ones are shortened to it. Default: none. */
  clipNorm?: number
  /**
   * The candidate gets the exponential moving average of the weights over the steps, with this share of the past, such
   * as 0.99. Default: the weights of the last step.
   */
  averaging?: number
  /**
   * Statistics of batch normalization. `frozen`: those of the model, as it serves. `batch`: those of each batch, and the
   * model's follow; for pictures unlike those it has learned from, in batches of 16 and more. Default `frozen`.
   */
  batchNormalization?: 'frozen' | 'batch'
  /** Passes over the samples, at most. Default 8. */
  epochs?: number
  /**
   * Training ends when so many epochs have not lowered the loss on the validation samples, and the weights of the best
   * epoch are kept. 0: never before the last one. With fewer than 5 validation samples there is no judging: all epochs are
   * trained, and the last weights are kept. Default 3.
   */
  patience?: number
  /** Share of all steps in which the learning rate rises to its peak. Default 0.05. */
  warmUp?: number
  /** Where half a cosine takes the learning rate from its peak to the last step, as a share of it. Default 0.1. */
  finalRate?: number
  /** Share of each target that goes to all labels alike. Default 0. */
  labelSmoothing?: number
  /** How much pictures of a label count: `balanced` makes all labels count the same. Default: 1 each. */
  classWeights?: 'balanced' | Readonly<Record<string, number>>
  /** Variations of the pictures that teach. Default: none. */
  augment?: Augmentation
  /** A run that is interrupted goes on where it last was at a multiple of so many steps. Default 20. */
  checkpointSteps?: number
  /** Images a step. Default 16. */
  batchSize?: number
  /** A folder of pictures, one folder a label, that the model must not forget. Relative to the function. */
  reference?: string
  /** Reference pictures mixed into training, as a share of the new samples; 1 means as many. Default 1. */
  replay?: number
  /** Accuracy is the share of labels that were right; with `mean-squared-error` the coefficient of determination, R^2. */
  accept?: {
    /** Accuracy that the candidate must gain on held-out new samples. Default 0: any gain, but not none; below 0 it may lose. */
    minGain?: number
    /** Accuracy that it may lose on held-out reference pictures. Default 0.02. */
    maxForgetting?: number
    /**
     * How likely the gain may be chance: the largest p of McNemar's one-sided test on the held-out samples, mid-p. Asked
     * only with a `minGain` of 0 and above; 1 asks for nothing. Default 0.05.
     */
    significance?: number
    /** Share by which the candidate may take longer than the current version for one picture. Default 0.1. */
    maxSlowdown?: number
    /** Fewer training samples end the run before it trains. Default 20. */
    minSamples?: number
    /**
     * A run by schedule is skipped while fewer samples have come since the last one, unless the model has drifted. Default 10.
     */
    minNewSamples?: number
  }
  /** What the gate accepts is tried on live requests before it takes over. Default: it takes over at once. */
  canary?: CanaryOptions
  /** Seed of everything drawn by chance: the same seed gives the same weights on a CPU. Default 1. */
  seed?: number
}

/**
 * Defines how a function's model is retrained: the default export of `functions/<name>/retrain.ts`.
 *
 * @example
 * export default defineRetraining({ model: 'scene', schedule: '0 3 * * *', optimizer: adam(), epochs: 5 })
 */
export function defineRetraining(definition: RetrainingDefinition): RetrainingDefinition {
  return definition
}
