/**
 * Makes MaxPool(Relu(x)) Relu(MaxPool(x)), which is the same, since Relu keeps the order of numbers: the map that Relu
 * and its gradient pass over is as much smaller as the pool makes it, and the one before it need not be kept.
 */
import { createNamer, type Graph, usesOf } from '../onnx/index.ts'

/** In place; every value must have a shape. */
export function poolBeforeRelu(graph: Graph): void {
  const uses = usesOf(graph.nodes)
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const name = createNamer(graph)
  for (const [index, relu] of graph.nodes.entries()) {
    const [map = ''] = relu.outputs
    const [use, ...others] = uses.get(map) ?? []
    const pool = use?.node
    if (relu.opType !== 'Relu' || relu.domain !== '' || others.length > 0 || outputs.has(map)) continue
    if (pool?.opType !== 'MaxPool' || pool.domain !== '' || pool.outputs.length > 1) continue
    const [pooled = ''] = pool.outputs
    const info = graph.valueInfo.get(pooled)
    if (!info) continue
    const between = name(`${pooled}/before`)
    graph.valueInfo.set(between, { ...info, name: between })
    const at = graph.nodes.indexOf(pool)
    graph.nodes[index] = { ...pool, inputs: relu.inputs, outputs: [between] }
    graph.nodes[at] = { ...relu, inputs: [between], outputs: [pooled] }
  }
}
