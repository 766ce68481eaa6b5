/** A new last layer for another number of classes: the network before it stays as it was. */
import { CorunError } from '../core/errors.ts'
import { inlineConstants, untieIdentities } from './constants.ts'
import { copyGraph, type Graph, type Node, type Tensor } from './graph.ts'
import { readGraph } from './model.ts'
import { type Parameter, parametersOf } from './parameters.ts'
import { replaceTensors } from './replace-weights.ts'
import { headOf } from './select-parameters.ts'
import { elementCount, floatsOf, int64Tensor, integersOf } from './tensor.ts'
import { usesOf } from './usage.ts'
import { decodeValueInfo, encodeValueInfo } from './value-info.ts'

/**
 * What each class of the new last layer comes from: the place of a class of the old one, whose weights it takes over,
 * or undefined for a new one. Weights and bias of new ones are drawn evenly from +-1 / sqrt(inputs of a class), as
 * PyTorch's Linear draws them; the same seed gives the same numbers.
 */
export type KeptClasses = readonly (number | undefined)[]

/**
 * The graph with a last layer of `kept.length` classes. Shapes of the outputs that had a score a class follow.
 * @throws CorunError `not-trainable` when the last layer is none that has one row or column a class
 */
export function replaceHead(source: Graph, kept: KeptClasses, seed: number): Graph {
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
    const tensor = graph.initializers.get(name)
    if (at < 0 || tensor === undefined) {
      throw new CorunError(
        'not-trainable',
        `"${name}" [${dims.join(', ')}] of the last layer is not one number a class`,
      )
    }
    const draw = () => (next() * 2 - 1) * reach
    graph.initializers.set(name, resizeAxis(floatsOf(tensor), dims, at, kept, draw))
  }
  resizeShapes(graph, weight.name, before, kept.length)
  graph.valueInfo = new Map()
  graph.outputs = graph.outputs.map(output =>
    output.dims ? { ...output, dims: resizeDims(output.dims, before, kept.length) } : output,
  )
  return graph
}

/**
 * The same for a model file, which keeps all else that is in it.
 * @throws CorunError `invalid-model`, `not-trainable`
 */
export function resizeHead(bytes: Uint8Array, kept: KeptClasses, seed: number): Uint8Array {
  const source = readGraph(bytes)
  const resized = replaceHead(source, kept, seed)
  inlineConstants(source)
  untieIdentities(source)
  const changed = [...resized.initializers].filter(
    ([name, tensor]) => source.initializers.get(name) !== tensor,
  )
  const shapes = new Map(resized.outputs.map(output => [output.name, output]))
  return replaceTensors(bytes, new Map(changed), graph => {
    graph.valueInfo = []
    graph.output = graph.output.map(output =>
      encodeValueInfo(shapes.get(output.name) ?? decodeValueInfo(output)),
    )
  })
}

const resizeDims = <Dim>(dims: readonly Dim[], before: number, classes: number): (Dim | number)[] =>
  dims.map(dim => (dim === before ? classes : dim))

/** A tensor whose entries along one axis are those of `kept`. */
function resizeAxis(
  data: Float32Array,
  dims: readonly number[],
  axis: number,
  kept: KeptClasses,
  draw: () => number,
): Tensor {
  const outer = elementCount(dims.slice(0, axis))
  const inner = elementCount(dims.slice(axis + 1))
  const before = dims[axis] ?? 0
  const resized = dims.with(axis, kept.length)
  const values = new Float32Array(elementCount(resized))
  for (let block = 0; block < outer; block += 1) {
    for (const [row, from] of kept.entries()) {
      const to = (block * kept.length + row) * inner
      if (from === undefined) for (let at = to; at < to + inner; at += 1) values[at] = draw()
      else values.set(data.subarray((block * before + from) * inner, (block * before + from + 1) * inner), to)
    }
  }
  return { type: 'float32', dims: resized, data: values }
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
    graph.initializers.set(node.inputs[1] ?? '', int64Tensor(resizeDims(integersOf(shape), before, classes)))
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
