/** Operators that move, repeat or drop elements: the gradient takes the way back. */

import { isFloat } from '../../onnx/index.ts'
import type { Value } from '../emitter.ts'
import type { Differentiation, Rule, RuleTable } from '../rule.ts'
import { dimAt, normalAxis, range } from '../shape.ts'

const reshaped: Rule = ({ dy, ops, x }) => [() => ops.reshape(dy, x(0).dims)]

const same: Rule = ({ dy }) => [() => dy]

const transpose: Rule = at => {
  const rank = at.dy.dims.length
  const perm = at.ints('perm') ?? range(rank).reverse()
  return [
    () =>
      at.ops.transpose(
        at.dy,
        range(rank).map(axis => perm.indexOf(axis)),
      ),
  ]
}

const concat: Rule = at => {
  const { dy, node, ops, x } = at
  const axis = normalAxis(at.int('axis', 0), dy.dims.length)
  let offset = 0
  return node.inputs.map((_, index) => {
    const start = offset
    const count = dimAt(x(index).dims, axis)
    offset += count
    return () => ops.slice(dy, [{ axis, start, count }])
  })
}

/** Zeros where an element was not taken. Axes that were walked backwards are turned round first. */
const slice: Rule = at => [
  () => {
    const { ops, x } = at
    const source = x(0).dims
    const starts = at.integers(1) ?? []
    const axes = (at.integers(3) ?? range(starts.length)).map(axis => normalAxis(axis, source.length))
    const steps = at.integers(4) ?? starts.map(() => 1)
    return axes.reduce((gradient: Value, axis, index) => {
      const size = dimAt(source, axis)
      const count = dimAt(gradient.dims, axis)
      const step = steps[index] ?? 1
      const start = starts[index] ?? 0
      const first = step > 0 ? clamp(start, 0, size) : clamp(start, 0, size - 1, size) - (count - 1) * -step
      const from = start < 0 && step > 0 ? Math.max(start + size, 0) : first
      const forward = step < 0 ? ops.reverse(gradient, [axis]) : gradient
      return unslice(at, forward, axis, { from, step: Math.abs(step), size })
    }, at.dy)
  },
]

function clamp(start: number, low: number, high: number, size = 0): number {
  return Math.min(Math.max(start < 0 ? start + size : start, low), high)
}

/** Puts element i of `axis` at `from + i * step` of an axis of `size` zeros. */
function unslice(
  { ops }: Differentiation,
  x: Value,
  axis: number,
  { from, step, size }: { from: number; step: number; size: number },
): Value {
  const count = dimAt(x.dims, axis)
  const at = (value: number) => x.dims.map((_, index) => (index === axis ? value : 0))
  const resized = (value: number) => x.dims.map((dim, index) => (index === axis ? value : dim))
  let spread = x
  if (step > 1) {
    const parted = ops.reshape(x, [...x.dims.slice(0, axis + 1), 1, ...x.dims.slice(axis + 1)])
    const none = parted.dims.map(() => 0)
    const gaps = parted.dims.map((_, index) => (index === axis + 1 ? step - 1 : 0))
    const stuffed = ops.reshape(ops.pad(parted, none, gaps), resized(count * step))
    spread = ops.slice(stuffed, [{ axis, start: 0, count: Math.min(count * step, size - from) }])
  }
  return ops.pad(spread, at(from), at(size - from - dimAt(spread.dims, axis)))
}

const split: Rule = at => {
  const { dys, node, ops, dy, y } = at
  const axis = normalAxis(at.int('axis', 0), at.x(0).dims.length)
  return [
    () => {
      const parts = node.outputs.map((_, index) => {
        const part = dys[index]
        return part ?? ops.expand(ops.scalar(0, dy), y(index).dims)
      })
      return ops.concat(parts, axis)
    },
  ]
}

export const layoutRules: RuleTable = {
  Identity: same,
  /** In inference Dropout passes its input on; its mask output carries no gradient. */
  Dropout: same,
  /** To or from an integer or a truth value nothing passes: the derivative is zero. */
  Cast: ({ dy, ops, x, y }) => [
    isFloat(x(0).type) && isFloat(y().type) ? () => ops.cast(dy, x(0).type) : undefined,
  ],
  CastLike: ({ dy, ops, x, y }) => [
    isFloat(x(0).type) && isFloat(y().type) ? () => ops.cast(dy, x(0).type) : undefined,
  ],
  Reshape: reshaped,
  Flatten: reshaped,
  Squeeze: reshaped,
  Unsqueeze: reshaped,
  Expand: same,
  Transpose: transpose,
  Concat: concat,
  Slice: slice,
  Split: split,
}
