/** Matrix products and normalization. */
import { float, floatTensor } from '../onnx/index.ts'
import { binary } from './elementwise.ts'
import type { Network } from './network.ts'
import { constantOf, permute, type Value } from './value.ts'
import type { Weight } from './weights.ts'

/** `kernel`: [in, out]. A value of more than two axes keeps those before its last. */
export function dense(net: Network, value: Value, kernel: Weight, bias: Weight | undefined): Value {
  const shape = value.shape.with(-1, kernel.dims[1] ?? 1)
  const inputs = [net.use(value, 'asShaped'), net.weight(kernel)]
  if (shape.length === 2) {
    if (bias !== undefined) inputs.push(net.weight(bias))
    return net.emit('Gemm', inputs, { shape })
  }
  const product = net.emit('MatMul', inputs, { shape })
  return bias === undefined ? product : binary(net, 'Add', product, constantOf(bias))
}

interface ProductOptions {
  transposeLeft: boolean
  transposeRight: boolean
  bias?: Weight | undefined
}

export function matrixProduct(
  net: Network,
  left: Value,
  right: Value,
  { transposeLeft, transposeRight, bias }: ProductOptions,
): Value {
  if (right.constant?.dims.length === 2 && left.constant === undefined && !transposeLeft) {
    return dense(net, left, transposeRight ? permute(right.constant, [1, 0]) : right.constant, bias)
  }
  const turned = (value: Value, transposed: boolean) => {
    const rank = value.shape.length
    if (!transposed) return { name: net.use(value, 'asShaped'), shape: value.shape }
    const order = [...Array.from({ length: rank - 2 }, (_, axis) => axis), rank - 1, rank - 2]
    const shape = order.map(axis => value.shape[axis] ?? null)
    const perm = { perm: { type: 'ints' as const, value: order } }
    return net.emit('Transpose', [net.use(value, 'asShaped')], { shape, attributes: perm })
  }
  const [a, b] = [turned(left, transposeLeft), turned(right, transposeRight)]
  const shape = [...a.shape.slice(0, -1), b.shape.at(-1) ?? null]
  const product = net.emit('MatMul', [a.name, b.name], { shape })
  return bias === undefined ? product : binary(net, 'Add', product, constantOf(bias))
}

export interface Normalization {
  scale: Weight | undefined
  offset: Weight | undefined
  mean: Weight
  variance: Weight
  epsilon: number
}

/** Over the last axis, with the statistics that were learned. */
export function batchNormalization(
  net: Network,
  value: Value,
  { scale, offset, mean, variance, epsilon }: Normalization,
): Value {
  const even = (value: number) => floatTensor(mean.dims, Array<number>(mean.data.length).fill(value))
  const { shape, layout } = value
  const channelsSecond = layout === 'first' || shape.length === 2
  if (channelsSecond) {
    const parameters = [scale ?? even(1), offset ?? even(0), mean, variance].map(tensor => net.tensor(tensor))
    return net.emit('BatchNormalization', [net.use(value, layout), ...parameters], {
      shape,
      layout,
      attributes: { epsilon: float(epsilon) },
    })
  }
  // Of another rank: the one multiplication and addition that it comes to.
  const factor = Float32Array.from(
    variance.data,
    (spread, index) => (scale?.data[index] ?? 1) / Math.sqrt(spread + epsilon),
  )
  const shift = factor.map((by, index) => (offset?.data[index] ?? 0) - (mean.data[index] ?? 0) * by)
  const row = (data: Float32Array) => constantOf({ type: 'float32', dims: mean.dims, data })
  return binary(net, 'Add', binary(net, 'Mul', value, row(factor)), row(shift))
}
