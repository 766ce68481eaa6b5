/**
 * Folds batch normalization into the convolution before it, as arithmetic on the weights. Statistics are
 * frozen, so y = conv(x, W) s + t with s = scale / sqrt(var + epsilon), t = bias - mean s is conv(x, W s) + t.
 * An engine does this for constants; here W, scale and bias may be trained, and the walk differentiates the
 * small product W s instead of two passes over the large map.
 */
import { createNode, type Graph, type Node, producersOf, usesOf } from '../onnx/index.ts'
import { inTrainingMode } from './batch-statistics.ts'
import type { Operators } from './operators/index.ts'
import { dimAt } from './shape.ts'
import type { Values } from './values.ts'

/** Rewrites `graph.nodes` in place; `ops` must emit into this graph. */
export function foldNormalization(graph: Graph, ops: Operators, values: Values): void {
  const pairs = foldablePairs(graph)
  const convolutions = new Set(pairs.values())
  const source = graph.nodes
  graph.nodes = [] // what `ops` emits lands here, before the convolution that uses it
  for (const node of source) {
    const conv = pairs.get(node)
    if (conv) graph.nodes.push(merged(conv, node, ops, values))
    else if (!convolutions.has(node)) graph.nodes.push(node)
  }
}

/** Batch normalizations by the convolution whose output nothing else uses. */
function foldablePairs(graph: Graph): Map<Node, Node> {
  const producers = producersOf(graph.nodes)
  const uses = usesOf(graph.nodes)
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const pairs = new Map<Node, Node>()
  for (const node of graph.nodes) {
    const [input = ''] = node.inputs
    const conv = producers.get(input)
    if (node.opType !== 'BatchNormalization' || node.domain !== '' || outputs.has(input)) continue
    if (inTrainingMode(node)) continue
    if (conv?.opType === 'Conv' && conv.domain === '' && uses.get(input)?.length === 1) pairs.set(node, conv)
  }
  return pairs
}

function merged(conv: Node, normalization: Node, ops: Operators, values: Values): Node {
  const [, scale, shift, mean, variance] = normalization.inputs.map(name => values(name))
  const weight = values(conv.inputs[1] ?? '')
  if (!scale || !shift || !mean || !variance)
    throw new RangeError(`"${normalization.name}" has too few inputs`)
  const given = normalization.attributes.epsilon
  const epsilon = given?.type === 'float' ? given.value : 1e-5
  const factor = ops.div(scale, ops.sqrt(ops.add(variance, ops.scalar(epsilon, variance))))
  // Added, not subtracted: where the mean alone is taken off, its negative is a constant and so is its gradient's factor.
  const offset = conv.inputs[2] ? ops.sub(values(conv.inputs[2]), mean) : ops.neg(mean)
  const column = ops.reshape(factor, [dimAt(weight.dims, 0), ...weight.dims.slice(1).map(() => 1)])
  const bias = ops.add(shift, ops.mul(offset, factor))
  const inputs = [conv.inputs[0] ?? '', ops.mul(weight, column).name, bias.name]
  return createNode('Conv', inputs, normalization.outputs.slice(0, 1), conv.attributes, conv.name)
}
