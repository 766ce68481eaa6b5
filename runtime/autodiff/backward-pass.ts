/** The part of a training step that looks at data: forward, loss, and the gradients in the form of the slots. */
import { CorunError } from '../core/errors.ts'
import { copyGraph, type Graph, producersOf, removeUnused, usesOf, type ValueInfo } from '../onnx/index.ts'
import { settleBatchStatistics, useBatchStatistics } from './batch-statistics.ts'
import { useBlockedLayout } from './blocked/layout.ts'
import { createEmitter, type Value } from './emitter.ts'
import { foldNormalization } from './fold-normalization.ts'
import { gradientsOf } from './gradients.ts'
import { findLogits } from './logits.ts'
import { applyLoss, type Loss, sharesOf } from './loss.ts'
import { createOperators, type Operators } from './operators/index.ts'
import { poolBeforeRelu } from './pool-before-relu.ts'
import type { PreparedGraph } from './prepare.ts'
import { recognizeHardSwish } from './recognize-hard-swish.ts'
import { type Bundle, bundlesOf, pack, unpack } from './slots.ts'
import { valuesOf } from './values.ts'

/** One slot in the making: the tensor that is fed, and what the data says about it. */
export interface BundlePass extends Bundle {
  /** The input that holds the parameters. */
  input: Value
  /** The gradient of a learned bundle, the next value of running statistics; of `dims`. */
  result: Value
}

export interface BackwardPass {
  /** Under construction: an optimizer, or sums, are still to come. */
  graph: Graph
  ops: Operators
  addInput(stem: string, dims: readonly number[]): Value
  bundles: BundlePass[]
  targets: Value
  weights: Value
  /** float32 [], and float32 [N, K] */
  loss: Value
  scores: Value
  batchSize: number
  classes: number
}

export interface BackwardOptions {
  loss?: Loss
  /** The weighted mean over the samples (default), or their weighted sum. */
  reduction?: 'mean' | 'sum'
  /**
   * Only operators that every execution provider runs, such as WebGPU's, where the fastest for the CPU is the CPU's
   * alone; default false.
   */
  portable?: boolean
  /**
   * Channels in a block of the engine's own layout (useBlockedLayout); standard operators alone by default.
   */
  channelBlock?: number
}

/** @throws CorunError `not-trainable` naming the operators that have no gradient rule */
export function buildBackwardPass(prepared: PreparedGraph, options: BackwardOptions): BackwardPass {
  const { loss: kind = 'softmax-cross-entropy', reduction = 'mean', portable = false } = options
  const graph = copyGraph(prepared.graph)
  const values = valuesOf(graph)
  const emitter = createEmitter(graph)
  const ops = createOperators(emitter)
  recognizeHardSwish(graph)
  poolBeforeRelu(graph)
  const running = useBatchStatistics(graph, prepared.statistics ?? [], ops, values)
  foldNormalization(graph, ops, values)
  const forward = [...graph.nodes]
  const addInput = (stem: string, dims: readonly number[]): Value => {
    const value: Value = { name: emitter.name(stem), dims, type: 'float32' }
    graph.inputs.push({ ...value, dims: [...dims] })
    return value
  }

  const logits = findLogits(graph, prepared.output, values, kind)
  const targets = addInput('targets', logits.dims)
  const weights = addInput('weights', logits.dims.slice(0, 1))
  const scores = ops.reshape(logits.value, logits.dims)
  const share = reduction === 'mean' ? sharesOf(ops, weights) : weights
  const { loss, gradient } = applyLoss(ops, kind, { scores, targets, share })
  const learned = prepared.parameters.filter(({ role }) => role !== 'statistic')
  const gradients = gradientsOf(
    {
      nodes: forward,
      seeds: new Map([[logits.value.name, ops.reshape(gradient, logits.value.dims)]]),
      wanted: new Set(learned.map(({ name }) => name)),
      blocks: prepared.blocks ?? [],
    },
    { graph, emitter, ops, values, portable },
  )
  settleBatchStatistics(graph)
  if (gradients.size === 0) {
    throw new CorunError(
      'not-trainable',
      `no gradient of output "${prepared.output}" reaches a parameter chosen to train`,
    )
  }
  const results = new Map([...gradients, ...running])
  const bundles = bundlesOf(prepared.parameters.filter(({ name }) => results.has(name))).map(
    (bundle, index) => {
      const input = addInput(`parameters/${index}`, bundle.dims)
      graph.nodes.unshift(...unpack(bundle, input, emitter, ops))
      return { ...bundle, input, result: pack(bundle, results, ops) }
    },
  )
  const [batchSize, classes] = logits.dims
  return { graph, ops, addInput, bundles, targets, weights, loss, scores, batchSize, classes }
}

/** Makes `outputs` those of the graph, drops what they do not need, and lays out what is left for the engine. */
export function finishGraph(
  graph: Graph,
  outputs: readonly Value[],
  { parameters }: PreparedGraph,
  { channelBlock }: Pick<BackwardOptions, 'channelBlock'>,
): void {
  const separate = new Set(parameters.map(({ name }) => name))
  // What was fed one by one now comes out of the slots.
  for (const input of graph.inputs) if (separate.has(input.name)) graph.valueInfo.set(input.name, input)
  graph.inputs = graph.inputs.filter(({ name }) => !separate.has(name))
  graph.outputs = outputs.map(({ name, type, dims }): ValueInfo => ({ name, type, dims: [...dims] }))
  removeUnused(graph)
  refuseUnreached(graph, separate)
  if (channelBlock !== undefined) useBlockedLayout(graph, channelBlock)
  graph.valueInfo = new Map()
}

/** A parameter that works only through an operator without gradient would be left without a feed. */
function refuseUnreached(graph: Graph, parameters: ReadonlySet<string>): void {
  const made = producersOf(graph.nodes)
  const unreached = [...usesOf(graph.nodes).keys()].filter(name => parameters.has(name) && !made.has(name))
  if (unreached.length === 0) return
  throw new CorunError('not-trainable', `no gradient reaches ${unreached.join(', ')}: leave them frozen`)
}
