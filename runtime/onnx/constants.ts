/** Brings every constant of a graph into one form: an initializer of its own. Works in place. */
import type { Attribute, Graph, Tensor } from './graph.ts'
import { floatTensor, int64Tensor } from './tensor.ts'

/** Constant nodes become initializers; what Corun cannot hold as a tensor, such as text, stays a node. */
export function inlineConstants(graph: Graph): void {
  graph.nodes = graph.nodes.filter(node => {
    const [output] = node.outputs
    if (node.opType !== 'Constant' || node.domain !== '' || output === undefined) return true
    const tensor = constantTensor(node.attributes)
    if (tensor) graph.initializers.set(output, tensor)
    return tensor === undefined
  })
}

/**
 * `Identity(initializer)` becomes an initializer with a copy of the data. Exporters merge equal tensors this
 * way (two biases that start as zeros), and training must not change both when it changes one.
 */
export function untieIdentities(graph: Graph): void {
  graph.nodes = graph.nodes.filter(node => {
    const [source] = node.inputs
    const [output] = node.outputs
    if (node.opType !== 'Identity' || node.domain !== '' || source === undefined || output === undefined)
      return true
    const tensor = graph.initializers.get(source)
    if (!tensor) return true
    graph.initializers.set(output, { ...tensor, data: tensor.data.slice() })
    return graph.outputs.some(({ name }) => name === output)
  })
  // An output of the graph stays a node, and then must not have an initializer of its name as well.
  for (const node of graph.nodes) for (const output of node.outputs) graph.initializers.delete(output)
}

function constantTensor({
  value,
  value_float,
  value_floats,
  value_int,
  value_ints,
}: Record<string, Attribute>) {
  if (value?.type === 'tensor') return value.value
  if (value_float?.type === 'float') return floatTensor([], [value_float.value])
  if (value_floats?.type === 'floats') return floatTensor([value_floats.value.length], value_floats.value)
  if (value_int?.type === 'int') return { ...int64Tensor([value_int.value]), dims: [] } satisfies Tensor
  if (value_ints?.type === 'ints') return int64Tensor(value_ints.value)
  return undefined
}
