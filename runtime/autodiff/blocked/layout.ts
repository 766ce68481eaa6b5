/**
 * Convolutions in the engine's own layout, NCHWc: channels in blocks of as many as a vector register holds, which
 * lie side by side. The engine uses it by itself where weights are fixed; these train. What maps each element by itself
 * stays in blocks, so that maps are reordered only where something else needs them.
 *
 * The operators are onnxruntime's (domain com.microsoft.nchwc, its MLAS kernels on the CPU). How many channels a
 * block has depends on the processor: an engine is asked first (training/channel-block.ts).
 */
import { type Graph, int, type Node, removeUnused } from '../../onnx/index.ts'
import { sameDims, sizeOf } from '../shape.ts'
import { convolveInBlocks, isBlockable } from './convolution.ts'
import { isTransposedBlockable, transposeInBlocks } from './transposed.ts'
import { type BlockedValues, blockedDomain, createBlockedValues } from './values.ts'

/** Operators that map every element by itself, whatever its place. */
const elementwise = new Set([
  'Abs',
  'Add',
  'Clip',
  'Div',
  'Elu',
  'HardSigmoid',
  'HardSwish',
  'LeakyRelu',
  'Max',
  'Min',
  'Mul',
  'Neg',
  'Relu',
  'Sigmoid',
  'Sqrt',
  'Sub',
  'Tanh',
])

/** Rewrites `graph` in place. `block`: channels in a block. Every value must have a shape. */
export function useBlockedLayout(graph: Graph, block: number): void {
  const before = graph.nodes
  const values = createBlockedValues(graph, block)
  graph.nodes = []
  for (const node of before) {
    const [y = ''] = node.outputs
    if (isBlockable(node, values)) values.keep(y, convolveInBlocks(node, values))
    else if (isTransposedBlockable(node, values)) values.keep(y, transposeInBlocks(node, values))
    else if (staysInBlocks(node, values)) values.keep(y, mapInBlocks(node, values))
    else graph.nodes.push(channelsLast(node, values) ?? withPlainInputs(node, values))
  }
  for (const { name } of graph.outputs) values.makePlain(name)
  if (graph.nodes.some(({ domain }) => domain === blockedDomain)) graph.opsets.set(blockedDomain, 1)
  removeUnused(graph)
}

/** Whether something in blocks goes in, and nothing that would have to be repeated over it. */
function staysInBlocks(node: Node, { of, computed }: BlockedValues): boolean {
  if (!elementwise.has(node.opType) || node.domain !== '') return false
  const inputs = node.inputs.filter(name => name !== '')
  if (!inputs.some(name => computed(name) !== undefined)) return false
  const { dims } = of(node.outputs[0] ?? '')
  return inputs.every(name => sameDims(of(name).dims, dims) || sizeOf(of(name).dims) === 1)
}

function mapInBlocks(node: Node, { of, inBlocks, ops }: BlockedValues) {
  const y = of(node.outputs[0] ?? '')
  const inputs = node.inputs.map(name => {
    if (name === '') return undefined
    const x = of(name)
    return sameDims(x.dims, y.dims) ? inBlocks(x) : x
  })
  const dims = inputs.find(input => input && input.dims.length > 0 && sizeOf(input.dims) > 1)?.dims ?? y.dims
  return ops.emit(node.opType, inputs, node.attributes, { dims, type: y.type })
}

/** The reordering that gives [N, H, W, C] at once, where a Transpose would follow one. */
function channelsLast(node: Node, { of, computed }: BlockedValues): Node | undefined {
  const { perm } = node.attributes
  if (node.opType !== 'Transpose' || perm?.type !== 'ints' || `${perm.value}` !== '0,2,3,1') return undefined
  const [x = ''] = node.inputs
  const source = computed(x)
  if (!source) return undefined
  const attributes = { channels: int(of(x).dims[1] ?? 0), channels_last: int(1) }
  return { ...node, opType: 'ReorderOutput', domain: blockedDomain, inputs: [source.name], attributes }
}

function withPlainInputs(node: Node, { makePlain }: BlockedValues): Node {
  for (const name of node.inputs) makePlain(name)
  return node
}
