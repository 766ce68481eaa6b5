/** Finds where the loss attaches: before the activation that turns scores into probabilities, if the loss has its own. */
import { CorunError } from '../core/errors.ts'
import { type Graph, type Node, producersOf } from '../onnx/index.ts'
import type { Value } from './emitter.ts'
import type { Loss } from './loss.ts'
import { dimAt, normalAxis, sizeOf } from './shape.ts'
import type { Values } from './values.ts'

/** What may stand between the activation and the output without changing an element's place in its row. */
const transparent = new Set(['Identity', 'Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'])

/** The activations that belong to each loss: it starts from their input. Others are part of the model. */
const ownActivations: Record<Loss, readonly string[]> = {
  'softmax-cross-entropy': ['Softmax', 'LogSoftmax'],
  'binary-cross-entropy': ['Sigmoid'],
  'mean-squared-error': [],
}

export interface Logits {
  /** As the graph has it, such as [N, K] or [N, K, 1, 1]. */
  value: Value
  /** [N, K] */
  dims: [number, number]
}

/** The operator that makes an output, whatever only changes its shape left out. */
export function lastOperator(graph: Graph, output: string): string | undefined {
  const producers = producersOf(graph.nodes)
  let node = producers.get(output)
  while (node && transparent.has(node.opType)) node = producers.get(node.inputs[0] ?? '')
  return node?.opType
}

/** @throws CorunError `not-trainable` when the output is no row of scores an image, or belongs to another loss */
export function findLogits(graph: Graph, output: string, values: Values, loss: Loss): Logits {
  const producers = producersOf(graph.nodes)
  let node: Node | undefined = producers.get(output)
  while (node && transparent.has(node.opType)) node = producers.get(node.inputs[0] ?? '')
  const activation = node && ownActivations[loss].includes(node.opType) ? node : undefined
  refuseOther(output, node, loss)
  const value = values(activation?.inputs[0] ?? output)
  const [batch = 0, ...rest] = value.dims
  const scores = sizeOf(rest)
  // Only a softmax needs all scores of an image on one axis.
  const inRow =
    loss !== 'softmax-cross-entropy' || (rest.includes(scores) && alongRow(activation, value, scores))
  if (value.type !== 'float32' || rest.length === 0 || !inRow) {
    throw new CorunError(
      'not-trainable',
      `output "${output}" comes from ${value.type}[${value.dims.join(', ')}], which is no row of class scores an image`,
    )
  }
  return { value, dims: [batch, scores] }
}

function alongRow(softmax: Node | undefined, { dims }: Value, classes: number): boolean {
  if (!softmax) return true
  const axis = softmax.attributes.axis?.type === 'int' ? softmax.attributes.axis.value : -1
  return dimAt(dims, normalAxis(axis, dims.length)) === classes
}

/** A sigmoid under a softmax loss, or the other way round, is a mistake more likely than a wish. */
function refuseOther(output: string, node: Node | undefined, loss: Loss): void {
  if (!node || loss === 'mean-squared-error') return
  for (const [fitting, activations] of Object.entries(ownActivations)) {
    if (fitting === loss || !activations.includes(node.opType)) continue
    throw new CorunError(
      'not-trainable',
      `output "${output}" is a ${node.opType.toLowerCase()}, and the loss is ${loss}; ${fitting} goes with it`,
    )
  }
}
