/**
 * Batch normalization in training mode: each batch is normalized by its own mean and variance, and the model's running
 * statistics follow them (ONNX BatchNormalization with training_mode = 1: running <- running momentum + batch (1 -
 * momentum), the variance being that of the batch as a population).
 *
 * The engine has no training mode, so the statistics are computed in the graph and handed to the operator's
 * inference form. While gradients are built the attribute marks such a node for its rule (rules/normalization.ts).
 */
import { type Graph, int, type Node } from '../onnx/index.ts'
import type { Value } from './emitter.ts'
import type { Operators } from './operators/index.ts'
import { exceptChannels, meanOver, onChannels } from './rules/normalize.ts'
import type { Values } from './values.ts'

/** The running statistics of one normalization, by the names of their tensors. */
export interface Statistics {
  mean: string
  variance: string
  /** How much of the old value stays; ONNX's default is 0.9. */
  momentum: number
}

/**
 * Rewrites `graph.nodes` in place; `ops` must emit into this graph.
 * @returns the new running statistics, float32 [C], by the names of the old ones
 */
export function useBatchStatistics(
  graph: Graph,
  statistics: readonly Statistics[],
  ops: Operators,
  values: Values,
): Map<string, Value> {
  const running = new Map<string, Value>()
  const source = graph.nodes
  graph.nodes = [] // what `ops` emits lands here, before the node that uses it
  for (const node of source) {
    const own = statistics.find(({ mean }) => node.opType === 'BatchNormalization' && node.inputs[3] === mean)
    if (own) normalizeByBatch(node, own)
    graph.nodes.push(node)
  }
  return running

  function normalizeByBatch(node: Node, { mean, variance, momentum }: Statistics): void {
    const x = values(node.inputs[0] ?? '')
    const axes = exceptChannels(x.dims.length)
    const channels = x.dims.slice(1, 2)
    const centre = ops.reshape(meanOver(ops, x, axes), channels)
    const centred = ops.sub(x, onChannels(ops, centre, x.dims.length))
    const spread = ops.reshape(meanOver(ops, ops.mul(centred, centred), axes), channels)
    for (const [name, batch] of [
      [mean, centre],
      [variance, spread],
    ] as const) {
      running.set(name, ops.add(ops.scale(values(name), momentum), ops.scale(batch, 1 - momentum)))
    }
    node.inputs = [...node.inputs.slice(0, 3), centre.name, spread.name]
    node.attributes = { ...node.attributes, training_mode: int(1) }
  }
}

export function inTrainingMode({ attributes }: Node): boolean {
  return attributes.training_mode?.type === 'int' && attributes.training_mode.value !== 0
}

/** Takes the mark away again: the engine refuses it. */
export function settleBatchStatistics(graph: Graph): void {
  for (const node of graph.nodes) {
    if (!inTrainingMode(node)) continue
    const { training_mode: _, ...attributes } = node.attributes
    node.attributes = attributes
  }
}
