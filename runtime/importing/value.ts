/**
 * A value of the network that is imported. Its shape is TensorFlow's, with channels last; the ONNX value may lie with
 * channels first, so that a network of convolutions needs no transposition at all.
 */
import type { Weight } from './weights.ts'

export type Dim = number | null

/** `first`: only of rank 4; [N, H, W, C] lies as [N, C, H, W]. `asShaped`: as `shape` says. */
export type Layout = 'first' | 'asShaped'

export interface Value {
  /** In the ONNX graph. Empty for a constant, which becomes an initializer where it is used. */
  name: string
  shape: Dim[]
  /** `int64` is what ONNX gives for places; TensorFlow's are int32. */
  type: Weight['type'] | 'int64'
  layout: Layout
  constant?: Weight
  /** Made by padding with zeros: a convolution takes `source` and the padding itself. */
  padded?: { source: Value; pads: SpatialPads }
  /** Made by limiting `source`: the next limit joins it. */
  limited?: { source: Value; low: number; high: number }
}

/** Rows above and below, columns left and right. */
export interface SpatialPads {
  top: number
  bottom: number
  left: number
  right: number
}

export const noPads: SpatialPads = { top: 0, bottom: 0, left: 0, right: 0 }

export const constantOf = (weight: Weight): Value => ({
  name: '',
  shape: weight.dims,
  type: weight.type,
  layout: 'asShaped',
  constant: weight,
})

export const scalar = (value: number): Value =>
  constantOf({ type: 'float32', dims: [], data: Float32Array.of(value) })

/** The one element of a constant that has only one. */
export function soleElement({ constant }: Value): number | undefined {
  return constant?.data.length === 1 ? constant.data[0] : undefined
}

/** [N, H, W, C] and [N, C, H, W] are the same row of numbers. */
export function orderIsSame([, height, width, channels]: readonly Dim[]): boolean {
  return channels === 1 || (height === 1 && width === 1)
}

/** Where axis `axis` of the shape is in the ONNX value. */
export function axisIn(layout: Layout, axis: number): number {
  return layout === 'first' ? ([0, 2, 3, 1][axis] ?? axis) : axis
}

export const channelsFirstDims = <T>([batch, height, width, channels]: readonly T[]): T[] =>
  [batch, channels, height, width] as T[] // of rank 4, as everything with channels first

/** A constant's elements in another order of axes. */
export function permute({ type, dims, data }: Weight, order: readonly number[]): Weight {
  const strides = dims.map((_, axis) => dims.slice(axis + 1).reduce((product, dim) => product * dim, 1))
  const next = order.map(axis => dims[axis] ?? 1)
  const moved = data.slice()
  let to = 0
  function copy(axis: number, from: number): void {
    const size = next[axis] ?? 1
    const step = strides[order[axis] ?? 0] ?? 1
    if (axis < next.length - 1) {
      for (let at = 0; at < size; at += 1) copy(axis + 1, from + at * step)
    } else {
      for (let at = 0; at < size; at += 1) moved[to++] = data[from + at * step] ?? 0
    }
  }
  copy(0, 0)
  return { type, dims: next, data: moved }
}
