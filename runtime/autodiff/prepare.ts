/**
 * The first step of training a model: a graph with fixed sizes in which whatever trains is an input, so that
 * an engine may simplify the rest (fold shape arithmetic, merge frozen layers) and cannot fold what trains.
 */
import { CorunError } from '../core/errors.ts'
import {
  blocksAndHead,
  copyGraph,
  type Graph,
  inlineConstants,
  liftOpset,
  type Parameter,
  parametersOf,
  removeUnused,
  untieIdentities,
} from '../onnx/index.ts'
import type { Statistics } from './batch-statistics.ts'
import { toInferenceForm } from './inference-form.ts'

export interface PrepareOptions {
  /** The model's output to train on; the first one by default. */
  output?: string
  /** Every dimension of the model's one input, batch first. */
  inputShape: readonly number[]
  trainable: (name: string) => boolean
  /**
   * Statistics of batch normalization. 'frozen' (default): those of the model, as it serves. 'batch': every normalization
   * whose scale or bias trains uses those of the batch, and its running statistics follow; for training from
   * scratch, or on pictures unlike the old ones in batches of 16 and more.
   */
  batchNormalization?: 'frozen' | 'batch'
}

/** What a training step changes: a parameter, or a running statistic of batch normalization. */
export interface TrainableTensor {
  name: string
  dims: number[]
  role: Parameter['role'] | 'statistic'
}

export interface PreparedGraph {
  graph: Graph
  /** The model's own input. */
  input: string
  output: string
  /** What will train: inputs of the graph after the model's own. */
  parameters: TrainableTensor[]
  /** The normalizations that run on statistics of the batch; none by default. */
  statistics?: Statistics[]
  /** Names of the model's parameters, block by block, the head last: what a refusal advises from. */
  blocks?: string[][]
}

/** @throws CorunError `not-trainable` when nothing is left to train, or the model has several inputs */
export function prepareForTraining(
  source: Graph,
  { output, inputShape, trainable, batchNormalization = 'frozen' }: PrepareOptions,
): PreparedGraph {
  const graph = copyGraph(source)
  const chosen = graph.outputs.find(({ name }) => name === (output ?? graph.outputs[0]?.name))
  if (!chosen) {
    const names = graph.outputs.map(({ name }) => name).join(', ')
    throw new CorunError('not-trainable', `the model has no output "${output}"; it has ${names}`)
  }
  graph.outputs = [chosen]
  inlineConstants(graph)
  untieIdentities(graph)
  removeUnused(graph)
  const parameters = parametersOf(graph).filter(({ name }) => trainable(name))
  if (parameters.length === 0) {
    throw new CorunError(
      'not-trainable',
      `no parameter that output "${chosen.name}" depends on is chosen to train`,
    )
  }
  liftOpset(graph)
  const statistics = batchNormalization === 'batch' ? statisticsOf(graph, parameters) : []
  toInferenceForm(graph)
  const tensors = [...parameters, ...statistics.flatMap(own => tensorsOf(own, graph))]
  const input = fixInput(graph, inputShape)
  for (const { name, dims } of tensors) {
    graph.initializers.delete(name)
    graph.inputs.push({ name, type: 'float32', dims })
  }
  // Shapes that the exporter wrote may hold its own symbols; the engine works them all out again.
  graph.valueInfo = new Map()
  graph.outputs = [{ ...chosen, dims: undefined }]
  const { blocks, head } = blocksAndHead(source)
  const names = [...blocks.map(block => block.parameters), head].map(each => each.map(({ name }) => name))
  return { graph, input, output: chosen.name, parameters: tensors, statistics, blocks: names }
}

/** The normalizations with a scale or bias among `parameters`. */
function statisticsOf({ nodes, initializers }: Graph, parameters: readonly Parameter[]): Statistics[] {
  const trained = new Set(parameters.map(({ name }) => name))
  return nodes.flatMap(({ opType, domain, inputs, attributes }) => {
    const [, scale = '', bias = '', mean = '', variance = ''] = inputs
    if (opType !== 'BatchNormalization' || domain !== '') return []
    if (!trained.has(scale) && !trained.has(bias)) return []
    if (!initializers.has(mean) || !initializers.has(variance)) return []
    return {
      mean,
      variance,
      momentum: attributes.momentum?.type === 'float' ? attributes.momentum.value : 0.9,
    }
  })
}

function tensorsOf({ mean, variance }: Statistics, { initializers }: Graph): TrainableTensor[] {
  return [mean, variance].map(name => ({ name, dims: initializers.get(name)?.dims ?? [], role: 'statistic' }))
}

function fixInput(graph: Graph, shape: readonly number[]): string {
  const [input, ...others] = graph.inputs
  if (!input || others.length > 0) {
    throw new CorunError(
      'not-trainable',
      `the model has ${graph.inputs.length} inputs; training feeds exactly one`,
    )
  }
  const fits =
    input.dims === undefined ||
    (input.dims.length === shape.length &&
      input.dims.every((dim, axis) => typeof dim !== 'number' || dim === shape[axis]))
  if (!fits) {
    throw new CorunError(
      'not-trainable',
      `input "${input.name}" is [${input.dims?.map(dim => dim ?? '?').join(', ')}], which [${shape.join(', ')}] does not fit`,
    )
  }
  graph.inputs = [{ ...input, dims: [...shape] }]
  return input.name
}
