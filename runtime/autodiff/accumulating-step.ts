/**
 * A training step in two models, for batches that do not fit into memory at once: one adds the gradients of a
 * micro-batch to sums, the other turns the sums into a step. The weighted sum of all losses is differentiated and divided
 * once, so micro-batches of any weights make the very step that one large batch makes (except for batch
 * normalization on batch statistics, which sees micro-batches).
 */
import { type Graph, writeGraph } from '../onnx/index.ts'
import { buildBackwardPass, finishGraph } from './backward-pass.ts'
import { createEmitter, type Value } from './emitter.ts'
import { totalOf } from './loss.ts'
import { createOperators } from './operators/index.ts'
import type { PreparedGraph } from './prepare.ts'
import { type Loop, placed, type Slot, type TrainedParameter } from './slots.ts'
import { statisticSlot, type TrainingStep, type TrainingStepOptions } from './training-step.ts'
import { applyUpdates } from './update.ts'

export interface AccumulatingStep {
  /** Run once a micro-batch, with the slots' inputs, but not their state, fed. */
  accumulate: {
    model: Uint8Array
    inputs: Pick<TrainingStep['inputs'], 'images' | 'targets' | 'weights'>
    /** The loss is the weighted sum over the micro-batch. */
    outputs: Pick<TrainingStep['outputs'], 'loss' | 'logits'>
    /** Zeros before the first micro-batch of a step: a gradient a learned slot, then the sum of the weights. */
    sums: Loop[]
    /** Running statistics, which go round here and not through `apply`. */
    statistics: Slot[]
  }
  /** Run once a step: what `sums` gave last is fed under `sums[i].input`. */
  apply: {
    model: Uint8Array
    inputs: Pick<TrainingStep['inputs'], 'learningRate' | 'step'>
    outputs: Pick<TrainingStep['outputs'], 'gradientNorm'>
    slots: Slot[]
  }
  /** Slots count those of `apply`, then `statistics`. */
  parameters: TrainedParameter[]
  /** Of a micro-batch. */
  batchSize: number
  classes: number
}

/** Takes what buildTrainingStep takes. */
export function buildAccumulatingStep(
  prepared: PreparedGraph,
  options: TrainingStepOptions,
): AccumulatingStep {
  const pass = buildBackwardPass(prepared, { ...options, reduction: 'sum' })
  const { graph, ops, addInput, bundles } = pass
  const learned = bundles.filter(bundle => bundle.learned)
  const statistics = bundles.filter(bundle => !bundle.learned)
  const counted = [...learned.map(({ result }) => result), ops.reduceSum(pass.weights, [0], false)]
  const sums = counted.map((value, index) => {
    const before = addInput(`sum/${index}`, value.dims)
    return { before, after: ops.add(before, value) }
  })
  const outputs = [
    pass.loss,
    pass.scores,
    ...sums.map(({ after }) => after),
    ...statistics.map(({ result }) => result),
  ]
  finishGraph(graph, outputs, prepared, options)
  return {
    accumulate: {
      model: writeGraph(graph),
      inputs: { images: prepared.input, targets: pass.targets.name, weights: pass.weights.name },
      outputs: { loss: pass.loss.name, logits: pass.scores.name },
      sums: sums.map(({ before, after }) => ({
        input: before.name,
        output: after.name,
        dims: [...before.dims],
      })),
      statistics: statistics.map(statisticSlot),
    },
    apply: buildApply(
      graph,
      learned.map(({ input, decay }, index) => ({
        parameter: input,
        decay,
        index,
        sum: sums[index]?.before ?? input,
      })),
      sums.at(-1)?.before ?? pass.weights,
      options,
    ),
    parameters: bundles.flatMap(placed),
    batchSize: pass.batchSize,
    classes: pass.classes,
  }
}

interface Summed {
  parameter: Value
  sum: Value
  decay: boolean
  index: number
}

function buildApply(
  { opsets, irVersion }: Graph,
  summed: readonly Summed[],
  count: Value,
  options: TrainingStepOptions,
): AccumulatingStep['apply'] {
  const graph: Graph = {
    name: 'apply',
    inputs: [],
    outputs: [],
    nodes: [],
    initializers: new Map(),
    valueInfo: new Map(),
    opsets,
    irVersion,
  }
  for (const { name, dims } of [...summed.flatMap(({ parameter, sum }) => [parameter, sum]), count]) {
    graph.inputs.push({ name, type: 'float32', dims: [...dims] })
  }
  const emitter = createEmitter(graph)
  const ops = createOperators(emitter)
  const addInput = (stem: string, dims: readonly number[]): Value => {
    const value: Value = { name: emitter.name(stem), dims, type: 'float32' }
    graph.inputs.push({ ...value, dims: [...dims] })
    return value
  }
  const learningRate = addInput('learning_rate', [])
  const step = addInput('step', [])
  const total = totalOf(ops, count)
  const updates = summed.map(each => ({ ...each, gradient: ops.div(each.sum, total) }))
  const { slots, outputs, gradientNorm } = applyUpdates(updates, options, {
    ops,
    addInput,
    learningRate,
    step,
  })
  graph.outputs = outputs.map(({ name, type, dims }) => ({ name, type, dims: [...dims] }))
  graph.valueInfo = new Map()
  return {
    model: writeGraph(graph),
    inputs: { learningRate: learningRate.name, step: step.name },
    outputs: gradientNorm ? { gradientNorm: gradientNorm.name } : {},
    slots,
  }
}
