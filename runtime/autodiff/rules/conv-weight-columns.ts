/** The gradient of a convolution by its weight in operators that every execution provider has. */
import type { Value } from '../emitter.ts'
import type { ConvAttributes, Operators } from '../operators/index.ts'
import { dimAt, positionsOf, range, sizeOf } from '../shape.ts'
import type { WeightGradientOptions } from './weight-gradient.ts'
import { extentOf } from './window.ts'

/** Any kernel, any groups: the input seen by each tap as columns, then one product (a group). */
export function columnProduct({ ops, x, dy, dims, window }: WeightGradientOptions): Value {
  const { group, kernel } = window
  const spatial = dy.dims.slice(2)
  const inputs = dimAt(x.dims, 1)
  const outputs = dimAt(dy.dims, 1)
  const rows = dimAt(x.dims, 0) * sizeOf(spatial)
  const taps = tapsOf(ops, x, spatial, window)
  const channelsFirst = ops.transpose(dy, [1, 0, ...range(spatial.length).map(axis => axis + 2)])
  const back = range(kernel.length).map(axis => axis + 1)
  if (group === 1) {
    const columns = ops.reshape(ops.concat(taps, 0), [taps.length * inputs, rows])
    const product = ops.gemm(ops.reshape(channelsFirst, [outputs, rows]), columns, { transB: true })
    const byTap = ops.reshape(product, [outputs, ...kernel, inputs])
    return ops.transpose(byTap, [0, kernel.length + 1, ...back])
  }
  const perGroup = inputs / group
  const grouped = taps.map(tap => ops.reshape(tap, [group, 1, perGroup, rows]))
  const columns = ops.reshape(ops.concat(grouped, 1), [group, taps.length * perGroup, rows])
  const g = ops.reshape(channelsFirst, [group, outputs / group, rows])
  const product = ops.matMul(g, ops.transpose(columns, [0, 2, 1]))
  const byTap = ops.reshape(product, [outputs, ...kernel, perGroup])
  return ops.reshape(ops.transpose(byTap, [0, kernel.length + 1, ...back]), dims)
}

/**
 * For every tap of the kernel, in row-major order, the inputs that it meets: [C, N, outputs...].
 * Strides are split off as axes of their own beforehand, so that every slice is contiguous.
 */
function tapsOf(ops: Operators, x: Value, outputs: readonly number[], window: ConvAttributes): Value[] {
  const [batch = 0, channels = 0, ...spatial] = x.dims
  const { strides, dilations, padBegin } = window
  const rank = spatial.length
  const extents = extentOf(window, outputs)
  // Whole strides, and no less than the input: what lies past the last window is never sliced.
  const padded = spatial.map((size, axis) => {
    const needed = Math.max(dimAt(extents, axis), size + dimAt(padBegin, axis))
    return Math.ceil(needed / dimAt(strides, axis)) * dimAt(strides, axis)
  })
  const padEnd = padded.map((size, axis) => size - dimAt(spatial, axis) - dimAt(padBegin, axis))
  const full = ops.pad(x, [0, 0, ...padBegin], [0, 0, ...padEnd])
  const parted = ops.reshape(full, [
    batch,
    channels,
    ...padded.flatMap((size, axis) => [size / dimAt(strides, axis), dimAt(strides, axis)]),
  ])
  const phase = range(rank).map(axis => 2 * axis + 3)
  const place = range(rank).map(axis => 2 * axis + 2)
  const phases = ops.transpose(parted, [...phase, 1, 0, ...place]) // [s..., C, N, padded / s...]
  return positionsOf(window.kernel).map(tap => {
    const offset = tap.map((index, axis) => index * dimAt(dilations, axis))
    const slice = ops.slice(phases, [
      ...offset.map((at, axis) => ({ axis, start: at % dimAt(strides, axis), count: 1 })),
      ...offset.map((at, axis) => ({
        axis: axis + rank + 2,
        start: Math.floor(at / dimAt(strides, axis)),
        count: dimAt(outputs, axis),
      })),
    ])
    return ops.reshape(slice, [channels, batch, ...outputs])
  })
}
