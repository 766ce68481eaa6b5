/** Convolutions and pools over [N, H, W, C]. Kernels become ONNX's [out, in, H, W] here. */
import { CorunError } from '../core/errors.ts'
import { type Attribute, int, ints, text } from '../onnx/index.ts'
import type { Network } from './network.ts'
import { type Dim, noPads, permute, type SpatialPads, type Value } from './value.ts'
import type { Weight } from './weights.ts'

export type Padding = 'same' | 'valid' | SpatialPads
type Pair = readonly [number, number]

export interface ConvolutionOptions {
  strides: Pair
  padding: Padding
  dilations: Pair
}

/** `kernel`: [H, W, in / groups, out]; the number of groups follows from the input's channels. */
export function convolution(
  net: Network,
  value: Value,
  kernel: Weight,
  bias: Weight | undefined,
  options: ConvolutionOptions,
): Value {
  const [height = 1, width = 1, perGroup = 1, out = 1] = kernel.dims
  const group = channelsOf(value) / perGroup
  return convolve(net, value, permute(kernel, [3, 2, 0, 1]), [height, width], { group, out, bias }, options)
}

/** `kernel`: [H, W, channels, multiplier]. Channel c becomes the channels c * multiplier and on. */
export function depthwise(
  net: Network,
  value: Value,
  kernel: Weight,
  bias: Weight | undefined,
  options: ConvolutionOptions,
): Value {
  const [height = 1, width = 1, channels = 1, multiplier = 1] = kernel.dims
  const out = channels * multiplier
  const turned = { ...permute(kernel, [2, 3, 0, 1]), dims: [out, 1, height, width] }
  return convolve(net, value, turned, [height, width], { group: channels, out, bias }, options)
}

function convolve(
  net: Network,
  value: Value,
  kernel: Weight,
  size: Pair,
  { group, out, bias }: { group: number; out: number; bias: Weight | undefined },
  { strides, padding, dilations }: ConvolutionOptions,
): Value {
  // What was padded by a node of its own is padded by the convolution.
  const fused = padding === 'valid' ? value.padded : undefined
  const window = placeWindow(fused?.source ?? value, size, strides, dilations, fused?.pads ?? padding)
  const inputs = [net.use(fused?.source ?? value, 'first'), net.weight(kernel)]
  if (bias !== undefined) inputs.push(net.weight(bias))
  return net.emit('Conv', inputs, {
    shape: [value.shape[0] ?? null, ...window.size, out],
    layout: 'first',
    attributes: {
      kernel_shape: ints(size),
      strides: ints(strides),
      dilations: ints(dilations),
      group: int(group),
      ...window.attributes,
    },
  })
}

/** `kernel`: [H, W, out, in]. The output is `strides` times as large, plus what the kernel reaches over when `valid`. */
export function transposedConvolution(
  net: Network,
  value: Value,
  kernel: Weight,
  bias: Weight | undefined,
  { strides, padding }: { strides: Pair; padding: 'same' | 'valid' },
): Value {
  const [height = 1, width = 1, out = 1] = kernel.dims
  const over = [Math.max(0, height - strides[0]), Math.max(0, width - strides[1])] as const
  const cut = padding === 'same' ? over : ([0, 0] as const)
  const before = cut.map(size => Math.floor(size / 2))
  const inputs = [net.use(value, 'first'), net.weight(permute(kernel, [3, 2, 0, 1]))]
  if (bias !== undefined) inputs.push(net.weight(bias))
  const grown = (dim: Dim | undefined, axis: 0 | 1): Dim =>
    dim == null ? null : dim * strides[axis] + over[axis] - cut[axis]
  return net.emit('ConvTranspose', inputs, {
    shape: [value.shape[0] ?? null, grown(value.shape[1], 0), grown(value.shape[2], 1), out],
    layout: 'first',
    attributes: {
      kernel_shape: ints([height, width]),
      strides: ints(strides),
      pads: ints([...before, ...cut.map((size, axis) => size - (before[axis] ?? 0))]),
      output_padding: ints([Math.max(0, strides[0] - height), Math.max(0, strides[1] - width)]),
    },
  })
}

/** Averages leave the padding out, as TensorFlow's do. */
export function pool(
  net: Network,
  kind: 'MaxPool' | 'AveragePool',
  value: Value,
  size: Pair,
  strides: Pair,
  padding: Padding,
): Value {
  const window = placeWindow(value, size, strides, [1, 1], padding)
  return net.emit(kind, [net.use(value, 'first')], {
    shape: [value.shape[0] ?? null, ...window.size, channelsOf(value)],
    layout: 'first',
    attributes: { kernel_shape: ints(size), strides: ints(strides), ...window.attributes },
  })
}

export function globalPool(net: Network, kind: 'GlobalMaxPool' | 'GlobalAveragePool', value: Value): Value {
  const shape = [value.shape[0] ?? null, 1, 1, channelsOf(value)]
  return net.emit(kind, [net.use(value, 'first')], { shape, layout: 'first' })
}

function channelsOf({ name, shape }: Value): number {
  const channels = shape[3]
  if (shape.length === 4 && channels != null) return channels
  throw new CorunError(
    'invalid-model',
    `"${name}" has shape [${shape.map(dim => dim ?? '?').join(', ')}]; a convolution or pool needs [N, H, W, C] with C known`,
  )
}

/**
 * Where the window goes: output size and ONNX attributes. `same` pads as TensorFlow does, the odd row below and the odd
 * column right (tfjs-core/src/ops/conv_util.ts, getPadAndOutInfo).
 */
function placeWindow(
  { shape: [, height = null, width = null] }: Value,
  size: Pair,
  strides: Pair,
  dilations: Pair,
  padding: Padding,
): { size: [Dim, Dim]; attributes: Record<string, Attribute> } {
  const reach = [(size[0] - 1) * dilations[0] + 1, (size[1] - 1) * dilations[1] + 1] as const
  const along = (dim: Dim, axis: 0 | 1) => {
    const stride = strides[axis]
    if (padding === 'same') {
      if (dim === null) return stride === 1 ? { out: null, total: reach[axis] - 1 } : undefined
      const out = Math.ceil(dim / stride)
      return { out, total: Math.max(0, (out - 1) * stride + reach[axis] - dim) }
    }
    const pads = padding === 'valid' ? noPads : padding
    const total = axis === 0 ? pads.top + pads.bottom : pads.left + pads.right
    return { out: dim === null ? null : Math.floor((dim + total - reach[axis]) / stride) + 1, total }
  }
  const [rows, columns] = [along(height, 0), along(width, 1)]
  if (rows === undefined || columns === undefined) {
    return { size: [null, null], attributes: { auto_pad: text('SAME_UPPER') } }
  }
  const [top, left] =
    typeof padding === 'object'
      ? [padding.top, padding.left]
      : [Math.floor(rows.total / 2), Math.floor(columns.total / 2)]
  const pads = [top, left, rows.total - top, columns.total - left]
  return {
    size: [rows.out, columns.out],
    attributes: pads.some(pad => pad > 0) ? { pads: ints(pads) } : {},
  }
}
