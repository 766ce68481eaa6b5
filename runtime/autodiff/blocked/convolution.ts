/** Convolutions in blocks: depthwise ones, and dense ones between whole blocks. */
import { int, type Node } from '../../onnx/index.ts'
import type { Value } from '../emitter.ts'
import { dimAt, sizeOf } from '../shape.ts'
import { type BlockedValues, blockedDomain } from './values.ts'
import { blockedWeights } from './weights.ts'

/**
 * A float32 convolution over two axes of maps. A dense one over a single image is most likely the gradient by a
 * weight, whose kernel is as large as a map: that is slower in blocks.
 */
export function isBlockable(node: Node, { block, of }: BlockedValues): boolean {
  if (node.opType !== 'Conv' || node.domain !== '' || computesPads(node)) return false
  const [x, w] = [of(node.inputs[0] ?? ''), of(node.inputs[1] ?? '')]
  const [outputs = 0, perGroup = 0, ...kernel] = w.dims
  const [images = 0, inputs = 0] = x.dims
  if (w.type !== 'float32' || kernel.length !== 2) return false
  if (perGroup === 1) return outputs === inputs && outputs > 1
  const dense = perGroup === inputs && images > 1 && sizeOf(kernel) > 1
  return dense && inputs % block === 0 && outputs % block === 0
}

export function computesPads({ attributes: { auto_pad: automatic } }: Node): boolean {
  return automatic?.type === 'string' && automatic.value !== 'NOTSET'
}

export function convolveInBlocks(node: Node, values: BlockedValues): Value {
  const { of, ops, whole, inBlocks, makePlain } = values
  const [x = '', w = '', bias = ''] = node.inputs
  const { dims, type } = of(node.outputs[0] ?? '')
  const [images = 0, channels = 0, ...positions] = dims
  const outputs = whole(channels)
  const depthwise = dimAt(of(w).dims, 1) === 1
  makePlain(bias)
  const fullBias = bias === '' ? undefined : ops.pad(of(bias), [0], [outputs - channels])
  return ops.emit(
    'Conv',
    [inBlocks(of(x)), depthwise ? depthwiseWeights(of(w), values) : blockedWeights(of(w), values), fullBias],
    depthwise ? { ...node.attributes, group: int(outputs) } : node.attributes,
    { dims: [images, outputs, ...positions], type },
    blockedDomain,
  )
}

/** [C, 1, k...] as [C/b, k..., b of C]: the order of a map of C channels. */
export function depthwiseWeights(w: Value, { ops, whole, inBlocks }: BlockedValues): Value {
  const [channels = 0, _one, ...kernel] = w.dims
  return ops.reshape(inBlocks(w, [1, channels, ...kernel]), [whole(channels), 1, ...kernel])
}
