/**
 * Depthwise convolutions in the engine's own layout, NCHWc: channels in blocks of as many as a vector register
 * holds, which lie side by side. The engine uses it by itself where weights are fixed; these train. Measured for
 * 240 channels, 5 x 5 at 14 x 14 and 16 images with two threads, the reordering included: forward 1.8 ms against 3.7,
 * the gradient by the weight 1.7 against 12.8.
 *
 * The operators are onnxruntime's (domain com.microsoft.nchwc, its MLAS kernels on the CPU). How many channels a
 * block has depends on the processor: an engine is asked first (training/channel-block.ts).
 */
import { type Graph, int, type Node, producersOf } from '../onnx/index.ts'
import { createEmitter, type Value } from './emitter.ts'
import { createOperators } from './operators/index.ts'
import { dimAt, sameDims } from './shape.ts'
import { type Values, valuesOf } from './values.ts'

const domain = 'com.microsoft.nchwc'

/** The engine reorders a whole number of these channels. */
const CHANNEL_STEP = 4

/** Rewrites `graph` in place. `block`: channels in a block. Every value must have a shape. */
export function useBlockedConvolutions(graph: Graph, block: number): void {
  const values = valuesOf(graph)
  if (!graph.nodes.some(node => isBlockable(node, values))) return
  const ops = createOperators(createEmitter(graph))
  const forward = graph.nodes
  const producers = producersOf(forward)
  graph.nodes = []
  graph.opsets.set(domain, 1)
  const whole = (channels: number) => Math.ceil(channels / block) * block
  const withChannels = (dims: readonly number[], channels: number) =>
    dims.map((dim, axis) => (axis === 1 ? channels : dim))

  /** [N, C, H, W] in blocks, C filled up to whole ones; a view of what is in blocks already is a view of that. */
  const reordered = (x: Value): Value => {
    const origin = viewedBy(producers.get(x.name), values)
    const aligned = [x, origin].every(value => value && dimAt(value.dims, 1) % block === 0)
    if (origin && aligned && sameDims(origin.dims.slice(2), x.dims.slice(2)))
      return ops.reshape(reordered(origin), x.dims)
    const dims = withChannels(x.dims, whole(dimAt(x.dims, 1)))
    return ops.emit('ReorderInput', [x], {}, { dims, type: x.type }, domain)
  }

  for (const node of forward) {
    if (!isBlockable(node, values)) {
      graph.nodes.push(node)
      continue
    }
    const [x, w, bias] = node.inputs.map(name => (name === '' ? undefined : values(name)))
    const y = values(node.outputs[0] ?? '')
    if (!x || !w) throw new Error(`${node.name} has no weight`)
    const channels = dimAt(x.dims, 1)
    const filled = whole(channels)
    const kernel = w.dims.slice(2)
    const weights = reordered(ops.reshape(w, [1, channels, ...kernel]))
    const blocked = ops.emit(
      'Conv',
      [
        reordered(x),
        ops.reshape(weights, [filled, 1, ...kernel]),
        bias && ops.pad(bias, [0], [filled - channels]),
      ],
      { ...node.attributes, group: int(filled) },
      { dims: withChannels(y.dims, filled), type: y.type },
      domain,
    )
    graph.nodes.push({
      opType: 'ReorderOutput',
      domain,
      name: node.name,
      inputs: [blocked.name],
      outputs: node.outputs,
      attributes: { channels: int(channels) },
    })
  }
}

/** A float32 convolution over two axes with one input and one output channel a group. */
function isBlockable(node: Node, values: Values): boolean {
  if (node.opType !== 'Conv' || node.domain !== '') return false
  const [x = '', w = ''] = node.inputs
  const weight = values(w)
  const [channels = 0, perGroup] = weight.dims
  return (
    weight.type === 'float32' &&
    weight.dims.length === 4 &&
    perGroup === 1 &&
    channels === values(x).dims[1] &&
    channels > 1 &&
    channels % CHANNEL_STEP === 0 &&
    !computesPads(node)
  )
}

function computesPads({ attributes: { auto_pad: automatic } }: Node): boolean {
  return automatic?.type === 'string' && automatic.value !== 'NOTSET'
}

/** What a Reshape of four axes to four others looks at. */
function viewedBy(node: Node | undefined, values: Values): Value | undefined {
  const [source = ''] = node?.opType === 'Reshape' ? node.inputs : []
  const value = source === '' ? undefined : values(source)
  return value?.dims.length === 4 ? value : undefined
}
