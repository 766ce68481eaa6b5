/** Operators that move elements and compute nothing. All shapes are static, so each knows when it is a no-op. */
import { type ElementType, int, int64Tensor, ints, text } from '../../onnx/index.ts'
import type { Emitter, Value } from '../emitter.ts'
import { dimAt, sameDims } from '../shape.ts'

export interface SliceRange {
  axis: number
  /** First index; below 0 counts from the end. */
  start: number
  /** Number of elements taken. */
  count: number
  /** May be negative: -1 from start -1 reverses the axis. */
  step?: number
}

export function layoutOperators({ emit, emitMany, constant }: Emitter) {
  const integers = (values: readonly number[]) => constant('ints', int64Tensor(values))

  const reshape = (x: Value, dims: readonly number[]) =>
    sameDims(x.dims, dims) ? x : emit('Reshape', [x, integers(dims)], {}, { dims, type: x.type })

  const pad = (x: Value, begin: readonly number[], end: readonly number[], filling?: Value) =>
    [...begin, ...end].every(count => count === 0)
      ? x
      : emit(
          'Pad',
          [x, integers([...begin, ...end]), ...(filling ? [filling] : [])],
          { mode: text('constant') },
          {
            dims: x.dims.map((dim, axis) => dim + (begin[axis] ?? 0) + (end[axis] ?? 0)),
            type: x.type,
          },
        )

  const zeros = (dims: readonly number[], type: ElementType) =>
    emit('ConstantOfShape', [integers(dims)], zeroOf(type), { dims, type })

  return {
    integers,
    reshape,
    /** Adds zeros, or a scalar's value; one count an axis at either side. */
    pad,
    transpose(x: Value, perm: readonly number[]): Value {
      if (perm.every((source, axis) => source === axis)) return x
      const dims = perm.map(axis => dimAt(x.dims, axis))
      // Moving axes of size 1 past others moves no data: a reshape is free, a transpose copies.
      const moved = perm.filter(axis => x.dims[axis] !== 1)
      if (moved.every((axis, index) => index === 0 || axis > (moved[index - 1] ?? -1)))
        return reshape(x, dims)
      return emit('Transpose', [x], { perm: ints(perm) }, { dims, type: x.type })
    },
    expand(x: Value, dims: readonly number[]): Value {
      return sameDims(x.dims, dims) ? x : emit('Expand', [x, integers(dims)], {}, { dims, type: x.type })
    },
    slice(x: Value, ranges: readonly SliceRange[]): Value {
      const taken = ranges.filter(
        ({ axis, start, count, step = 1 }) => start !== 0 || step !== 1 || count !== x.dims[axis],
      )
      if (taken.length === 0) return x
      const ends = taken.map(({ axis, start, count, step = 1 }) => {
        const first = start < 0 ? start + dimAt(x.dims, axis) : start
        const end = first + step * count
        return end < 0 ? -1e9 : end // past the first element when stepping back: clamped by the operator
      })
      const inputs = [
        x,
        integers(taken.map(({ start }) => start)),
        integers(ends),
        integers(taken.map(({ axis }) => axis)),
        integers(taken.map(({ step = 1 }) => step)),
      ]
      const dims = x.dims.map((dim, axis) => taken.find(range => range.axis === axis)?.count ?? dim)
      return emit('Slice', inputs, {}, { dims, type: x.type })
    },
    concat(values: readonly Value[], axis: number): Value {
      const [first] = values
      if (!first) throw new RangeError('Concat of nothing')
      if (values.length === 1) return first
      const total = values.reduce((sum, { dims }) => sum + dimAt(dims, axis), 0)
      const dims = first.dims.map((dim, index) => (index === axis ? total : dim))
      return emit('Concat', values, { axis: int(axis) }, { dims, type: first.type })
    },
    split(x: Value, axis: number, counts: readonly number[]): Value[] {
      const outputs = counts.map(count => ({
        dims: x.dims.map((dim, index) => (index === axis ? count : dim)),
        type: x.type,
      }))
      return counts.length === 1
        ? [x]
        : emitMany('Split', [x, integers(counts)], { axis: int(axis) }, outputs)
    },
    /** Axes reversed from last to first element. */
    reverse(x: Value, axes: readonly number[]): Value {
      const ranges = axes
        .filter(axis => x.dims[axis] !== 1)
        .map(axis => ({ axis, start: -1, count: dimAt(x.dims, axis), step: -1 }))
      return this.slice(x, ranges)
    },
    /** Zeros of `dims` with `updates` added along `axis` at `indices` (int, of updates' shape); one may come twice. */
    scatterAdd(dims: readonly number[], axis: number, indices: Value, updates: Value): Value {
      const attributes = { axis: int(axis), reduction: text('add') }
      const into = zeros(dims, updates.type)
      return emit('ScatterElements', [into, indices, updates], attributes, into)
    },
    /** The same at index tuples: `indices` [..., depth] point at slices of the first `depth` axes. */
    scatterAddSlices(dims: readonly number[], indices: Value, updates: Value): Value {
      const into = zeros(dims, updates.type)
      return emit('ScatterND', [into, indices, updates], { reduction: text('add') }, into)
    },
  }
}

function zeroOf(type: ElementType) {
  return {
    value: {
      type: 'tensor' as const,
      value: {
        type,
        dims: [1],
        data: type === 'float64' ? new Float64Array(1) : new Float32Array(1),
      },
    },
  }
}
