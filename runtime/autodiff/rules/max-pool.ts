/** MaxPool: each maximum gives its gradient to the element that it came from, the first of several that tie. */
import { floatTensor } from '../../onnx/index.ts'
import type { Value } from '../emitter.ts'
import type { Differentiation, Rule } from '../rule.ts'
import { dimAt, positionsOf, range, sizeOf } from '../shape.ts'
import { extentOf, windowOf } from './window.ts'

export const maxPool: Rule = at => [() => (at.portable ? byComparison(at) : byIndices(at))]

/** The operator's own Indices (into x as one long row) say where each maximum came from. */
function byIndices(at: Differentiation): Value {
  const { dy, ops, x } = at
  if (at.int('storage_order', 0) !== 0) at.refuse('its storage_order is column-major')
  const count = sizeOf(dy.dims)
  const indices = at.demandOutput(1, { dims: dy.dims, type: 'int64' })
  const size = sizeOf(x(0).dims)
  const flat = ops.scatterAdd([size], 0, ops.reshape(indices, [count]), ops.reshape(dy, [count]))
  return ops.reshape(flat, x(0).dims)
}

/**
 * Without Indices and scatter, which WebGPU lacks: the elements under each tap of the windows are compared with the
 * maxima. dy where a tap is the first to equal them is laid side by side, a map a tap, and a ConvTranspose whose
 * kernels have a single 1 puts every tap back in its place.
 */
function byComparison(at: Differentiation): Value {
  const { dy, ops, x, y } = at
  const window = windowOf(at)
  const outputs = dy.dims.slice(2)
  const spatial = x(0).dims.slice(2)
  const maps = sizeOf(dy.dims.slice(0, 2))
  // With ceil_mode the last window can reach past the padding.
  const padEnd = extentOf(window, outputs).map((extent, axis) =>
    Math.max(extent - dimAt(window.padBegin, axis) - dimAt(spatial, axis), 0),
  )
  const lowest = ops.scalar(-3.4e38, dy)
  const padded = ops.pad(x(0), [0, 0, ...window.padBegin], [0, 0, ...padEnd], lowest)
  const taps = positionsOf(window.kernel).map(offsets =>
    ops.slice(
      padded,
      outputs.map((count, axis) => ({
        axis: axis + 2,
        start: dimAt(offsets, axis) * dimAt(window.dilations, axis),
        count,
        step: dimAt(window.strides, axis),
      })),
    ),
  )
  let open = ops.scalar(1, dy) // 1 where no tap before has had the maximum
  const shares = taps.map(tap => {
    const share = ops.mul(ops.equal(tap, y()), open)
    open = ops.sub(open, share)
    return ops.reshape(ops.mul(dy, share), [maps, 1, ...outputs])
  })
  const places = range(taps.length ** 2).map(index => (index % (taps.length + 1) === 0 ? 1 : 0))
  const kernels = ops.constant(floatTensor([taps.length, 1, ...window.kernel], places, dy.type))
  const spread = ops.convTranspose(ops.concat(shares, 1), kernels, { ...window, padEnd }, spatial)
  return ops.reshape(spread, x(0).dims)
}
