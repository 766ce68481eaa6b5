/**
 * The gradient of a convolution by its weight as a convolution in its turn: of x with dY as the kernel.
 *
 *   dW[o, c, i] = sum over n and h of dY[n, o, h] x[n, c, s h + d i]
 *
 * is a convolution over h whose channels are the images, whose dilation is s and whose stride is d. Its outputs
 * are only the few taps of the weight, too narrow for the engine, unless the channels of x lie along the last
 * spatial axis: then every tap is a row of C outputs that lie side by side, and the engine lays out its columns
 * in pieces that stay in the cache, where it would take k times the memory of x to do that beforehand.
 * Measured for 64 channels at 56 x 56 with two threads: 27 ms against 74; for the first layer of a ResNet 32
 * against 420.
 */
import type { Value } from '../emitter.ts'
import type { ConvAttributes, Operators } from '../operators/index.ts'
import { dimAt, range, sizeOf } from '../shape.ts'
import type { WeightGradientOptions } from './weight-gradient.ts'
import { extentOf } from './window.ts'

export function correlation({ ops, x, dy, dims, window }: WeightGradientOptions): Value {
  const { group, kernel } = window
  const [batch = 0, outputs = 0, ...positions] = dy.dims
  const inputs = dimAt(dims, 1)
  const space = range(kernel.length)
  // A gradient an image needs no transpose of dY, and its sum is cheap while the weights are fewer than positions.
  // Where a group has one channel it is a depthwise convolution, which is fast by itself.
  const images = inputs === 1 || inputs * sizeOf(kernel) <= sizeOf(positions) ? batch : 1

  const extents = extentOf(window, positions)
  const seen = space.map(axis =>
    Math.min(dimAt(x.dims, axis + 2), dimAt(extents, axis) - dimAt(window.padBegin, axis)),
  )
  const cropped = ops.slice(
    x,
    seen.map((count, axis) => ({ axis: axis + 2, start: 0, count })),
  )
  const field = channelsLast(ops, cropped, { group, together: images === 1 })
  const weights = images === 1 ? ops.transpose(dy, [1, 0, ...space.map(axis => axis + 2)]) : dy
  const padEnd = space.map(axis => dimAt(extents, axis) - dimAt(seen, axis) - dimAt(window.padBegin, axis))
  const sum = withChannelsLast({
    kernel: positions,
    strides: window.dilations,
    dilations: window.strides,
    padBegin: window.padBegin,
    padEnd,
    channels: inputs,
  })
  const product = ops.conv(
    ops.reshape(field, [1, group * batch, ...sum.spatial(seen)]),
    ops.reshape(weights, [images * outputs, batch / images, ...sum.attributes.kernel]),
    { ...sum.attributes, group: group * images },
  )
  const byImage = ops.reshape(product, [images, outputs, ...kernel, inputs])
  const total = images === 1 ? byImage : ops.reduceSum(byImage, [0])
  const tapsLast = space.map(axis => axis + 1)
  const taps = ops.reshape(total, [outputs, ...kernel, inputs])
  return ops.transpose(taps, [0, kernel.length + 1, ...tapsLast])
}

/** [N, C, ...] as [N, g, ..., C/g], or the groups before the images where all images share one sum. */
function channelsLast(
  ops: Operators,
  x: Value,
  { group, together }: { group: number; together: boolean },
): Value {
  const [batch = 0, channels = 0, ...spatial] = x.dims
  const space = range(spatial.length)
  if (group === 1) return ops.transpose(x, [0, ...space.map(axis => axis + 2), 1])
  const grouped = ops.reshape(x, [batch, group, channels / group, ...spatial])
  const first = together ? [1, 0] : [0, 1]
  return ops.transpose(grouped, [...first, ...space.map(axis => axis + 3), 2])
}

type Geometry = Omit<ConvAttributes, 'group'>

/**
 * The geometry with the channels as the last spatial axis. They share the axis before them, which saves the engine
 * an axis, except where taps are a dilation apart and so no longer lie side by side.
 */
function withChannelsLast({ channels, ...geometry }: Geometry & { channels: number }) {
  const merged = geometry.strides.at(-1) === 1
  const last = <T>(values: readonly T[], change: (value: T) => T) =>
    values.map((value, index) => (index === values.length - 1 ? change(value) : value))
  const scaled = (values: readonly number[]) => last(values, value => value * channels)
  const attributes: Geometry = merged
    ? {
        kernel: geometry.kernel,
        strides: geometry.strides,
        dilations: scaled(geometry.dilations),
        padBegin: scaled(geometry.padBegin),
        padEnd: scaled(geometry.padEnd),
      }
    : {
        kernel: [...geometry.kernel, 1],
        strides: [...geometry.strides, 1],
        dilations: [...geometry.dilations, 1],
        padBegin: [...geometry.padBegin, 0],
        padEnd: [...geometry.padEnd, 0],
      }
  const spatial = (dims: readonly number[]) => (merged ? scaled(dims) : [...dims, channels])
  return { attributes, spatial }
}
