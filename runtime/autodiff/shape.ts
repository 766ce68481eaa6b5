/** Arithmetic on static shapes. */
import { CorunError } from '../core/errors.ts'

export function sizeOf(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1)
}

export function sameDims(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dim === b[axis])
}

/** Axis `axis` of `dims`, which must exist: a negative one counts from the end. */
export function dimAt(dims: readonly number[], axis: number): number {
  const dim = dims.at(axis)
  if (dim === undefined) throw new RangeError(`[${dims.join(', ')}] has no axis ${axis}`)
  return dim
}

export function normalAxis(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis
}

/** 0 .. count - 1. */
export function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** NumPy's rule: aligned at the last axis, a 1 stretches. */
export function broadcastDims(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length)
  return range(rank).map(axis => {
    const left = a[axis - rank + a.length] ?? 1
    const right = b[axis - rank + b.length] ?? 1
    if (left !== right && left !== 1 && right !== 1) {
      throw new CorunError('not-trainable', `[${a.join(', ')}] and [${b.join(', ')}] do not broadcast`)
    }
    return left === 1 ? right : left
  })
}

/** The axes of `dims` along which a value of shape `small` was repeated. */
export function stretchedAxes(dims: readonly number[], small: readonly number[]): number[] {
  const added = dims.length - small.length
  return range(dims.length).filter(axis => axis < added || (small[axis - added] === 1 && dims[axis] !== 1))
}

export function reducedDims(dims: readonly number[], axes: readonly number[], keep: boolean): number[] {
  return keep
    ? dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim))
    : dims.filter((_, axis) => !axes.includes(axis))
}

/** The axes of an operator that takes them as attribute or input; none means all. */
export function normalAxes(axes: readonly number[] | undefined, rank: number): number[] {
  if (!axes || axes.length === 0) return range(rank)
  return axes.map(axis => normalAxis(axis, rank)).sort((a, b) => a - b)
}

/** All index tuples of a box, the last axis fastest. */
export function positionsOf(dims: readonly number[]): number[][] {
  return dims.reduce<number[][]>(
    (tuples, dim) => tuples.flatMap(tuple => range(dim).map(index => [...tuple, index])),
    [[]],
  )
}
