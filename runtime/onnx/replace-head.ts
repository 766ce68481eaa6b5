/** A new last layer for another number of classes: the network before it stays as it was. */
import { CorunError } from '../core/errors.ts'
import { inlineConstants, untieIdentities } from './constants.ts'
import { copyGraph, type Graph, type Node } from './graph.ts'
import { type Parameter, parametersOf } from './parameters.ts'
import { headOf } from './select-parameters.ts'
import { elementCount, floatTensor, int64Tensor, integersOf } from './tensor.ts'
import { usesOf } from './usage.ts'

/**
 * Weights and bias are drawn evenly from +-1 / sqrt(inputs of a class), as PyTorch's Linear draws them; the same
 * seed gives the same numbers. Shapes of the outputs that had a score a class now have `classes` of them.
 * @throws CorunError `not-trainable` when the last layer is none that has one row or column a class
 */
export function replaceHead(source: Graph, classes: number, seed: number): Graph {
  const graph = copyGraph(source)
  inlineConstants(graph)
  untieIdentities(graph)
  const head = headOf(parametersOf(graph))
  const weight = head.find(({ role }) => role === 'weight')
  if (!weight)
    throw new CorunError('not-trainable', 'the model has no last layer to replace: it has no weights')
  const axis = classAxis(graph, weight)
  const before = weight.dims[axis] ?? 0
  const reach = 1 / Math.sqrt(elementCount(weight.dims) / before)
  const next = uniform(seed)
  for (const { name, dims } of head) {
    const at = name === weight.name ? axis : dims.lastIndexOf(before)
    if (at < 0) {
      throw new CorunError(
        'not-trainable',
        `"${name}" [${dims.join(', ')}] of the last layer is not one number a class`,
      )
    }
    const resized = dims.with(at, classes)
    const values = Array.from({ length: elementCount(resized) }, () => (next() * 2 - 1) * reach)
    graph.initializers.set(name, floatTensor(resized, values))
  }
  resizeShapes(graph, weight.name, before, classes)
  graph.valueInfo = new Map()
  graph.outputs = graph.outputs.map(output =>
    output.dims ? { ...output, dims: output.dims.map(dim => (dim === before ? classes : dim)) } : output,
  )
  return graph
}

/** Which axis of the weight has an entry a class: Gemm and MatMul may hold it transposed, Conv has it first. */
function classAxis(graph: Graph, { name, dims }: Parameter): number {
  const [use] = usesOf(graph.nodes).get(name) ?? []
  const node = use?.node
  if (node?.opType === 'Conv' && use?.index === 1) return 0
  if (use?.index === 1 && dims.length === 2) {
    if (node?.opType === 'MatMul') return 1
    if (node?.opType === 'Gemm') return transposed(node, 'transB') ? 0 : 1
  }
  if (node?.opType === 'Transpose' && dims.length === 2) return 0 // a dense layer's weight [classes, features]
  throw new CorunError(
    'not-trainable',
    `the last layer "${name}" is used by ${node ? `${node.opType} "${node.name}"` : 'no node'}; a head to replace is a Gemm, MatMul or Conv`,
  )
}

function transposed({ attributes }: Node, name: string): boolean {
  return attributes[name]?.type === 'int' && attributes[name].value !== 0
}

/** Fixed shapes of Reshape after the head that count classes. */
function resizeShapes(graph: Graph, weight: string, before: number, classes: number): void {
  const after = new Set([weight])
  for (const node of graph.nodes) {
    if (!node.inputs.some(name => after.has(name))) continue
    for (const output of node.outputs) after.add(output)
    const shape = graph.initializers.get(node.inputs[1] ?? '')
    if (node.opType !== 'Reshape' || shape?.type !== 'int64') continue
    const dims = integersOf(shape).map(dim => (dim === before ? classes : dim))
    graph.initializers.set(node.inputs[1] ?? '', int64Tensor(dims))
  }
}

/** Park and Miller's generator: 0 to 1. */
function uniform(seed: number): () => number {
  let state = (Math.abs(Math.trunc(seed)) % 2147483646) + 1
  return () => {
    state = (state * 48271) % 2147483647
    return state / 2147483647
  }
}
