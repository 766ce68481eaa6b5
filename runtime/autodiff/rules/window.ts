/** The geometry of a sliding window: what Conv and the pools share, with auto_pad resolved to numbers. */
import type { ConvAttributes } from '../operators/index.ts'
import type { Differentiation } from '../rule.ts'
import { dimAt, range } from '../shape.ts'

/** How far a window of this kernel reaches along an axis, in input elements. */
export function reachOf(
  { kernel, dilations }: Pick<ConvAttributes, 'kernel' | 'dilations'>,
  axis: number,
): number {
  return dimAt(dilations, axis) * (dimAt(kernel, axis) - 1) + 1
}

/** Input elements from the first window's start to the last window's end, padding included. */
export function extentOf(window: ConvAttributes, outputs: readonly number[]): number[] {
  return outputs.map((count, axis) => (count - 1) * dimAt(window.strides, axis) + reachOf(window, axis))
}

/**
 * Shapes: x [N, C, ...], y [N, O, ...]. `kernel` is what an operator without kernel_shape attribute has by its
 * weight. For a transposed convolution `dense` and `windows` change places: the windows lie on its output.
 */
export function windowOf(
  at: Differentiation,
  kernel: readonly number[] = [],
  { dense, windows } = { dense: at.x(0), windows: at.y() },
): ConvAttributes {
  const input = dense.dims.slice(2)
  const ones = input.map(() => 1)
  const strides = at.ints('strides') ?? ones
  const dilations = at.ints('dilations') ?? ones
  const rank = input.length
  const pads = at.ints('pads') ?? range(2 * rank).map(() => 0)
  const window = {
    kernel: at.ints('kernel_shape') ?? kernel,
    strides,
    dilations,
    padBegin: pads.slice(0, rank),
    padEnd: pads.slice(rank),
    group: at.int('group', 1),
  }
  const automatic = at.text('auto_pad', 'NOTSET')
  if (automatic === 'VALID') return { ...window, padBegin: input.map(() => 0), padEnd: input.map(() => 0) }
  if (automatic === 'NOTSET' && !at.ints('output_shape')) return window
  const extents = extentOf(window, windows.dims.slice(2))
  const outputPadding = at.ints('output_padding') ?? []
  const total = input.map((size, axis) =>
    Math.max(dimAt(extents, axis) + (outputPadding[axis] ?? 0) - size, 0),
  )
  const small = total.map(count => Math.floor(count / 2))
  const large = total.map(count => Math.ceil(count / 2))
  const upper = automatic === 'SAME_UPPER' // the odd element goes to the end
  return { ...window, padBegin: upper ? small : large, padEnd: upper ? large : small }
}
