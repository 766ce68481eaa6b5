/**
 * Recognizes x * clip(x + 3, 0, 6) / 6, as older exporters spell HardSwish, and makes it one operator again:
 * twelve passes over the map, forward and backward, become eight.
 */
import { createNode, floatsOf, type Graph, type Node, producersOf } from '../onnx/index.ts'

/** Rewrites `graph.nodes` in place; the nodes that are left over go with the unused ones. */
export function recognizeHardSwish(graph: Graph): void {
  const producers = producersOf(graph.nodes)
  const scalar = (name: string | undefined): number | undefined => {
    const tensor = graph.initializers.get(name ?? '')
    return tensor?.type === 'float32' && tensor.data.length === 1 ? floatsOf(tensor)[0] : undefined
  }
  const madeBy = (name: string | undefined, opType: string): Node | undefined => {
    const node = producers.get(name ?? '')
    return node?.opType === opType && node.domain === '' ? node : undefined
  }
  /** x when `name` is clip(x + 3, 0, 6). */
  const gated = (name: string | undefined): string | undefined => {
    const clip = madeBy(name, 'Clip')
    const sum = madeBy(clip?.inputs[0], 'Add')
    if (scalar(clip?.inputs[1]) !== 0 || scalar(clip?.inputs[2]) !== 6) return undefined
    return scalar(sum?.inputs[1]) === 3 ? sum?.inputs[0] : undefined
  }
  graph.nodes = graph.nodes.map(node => {
    const product = node.opType === 'Div' && node.domain === '' ? madeBy(node.inputs[0], 'Mul') : undefined
    if (!product || scalar(node.inputs[1]) !== 6) return node
    const [left = '', right = ''] = product.inputs
    const x = gated(right) === left ? left : gated(left) === right ? right : undefined
    return x === undefined ? node : createNode('HardSwish', [x], node.outputs, {}, node.name)
  })
}
