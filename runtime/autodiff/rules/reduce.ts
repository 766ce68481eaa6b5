/** Reductions: the gradient is repeated along the axes that were summed, which the walk does. */
import type { Value } from '../emitter.ts'
import type { Operators } from '../operators/index.ts'
import type { Differentiation, Rule, RuleTable } from '../rule.ts'
import { normalAxes, reducedDims, sizeOf } from '../shape.ts'

/** dy with the reduced axes kept as 1, so that it broadcasts to the input. */
function kept(at: Differentiation, axes: readonly number[]): Value {
  return at.ops.reshape(at.dy, reducedDims(at.x(0).dims, axes, true))
}

function axesOf(at: Differentiation): number[] {
  const given = at.has(1) ? at.integers(1) : undefined
  if ((given?.length ?? 0) === 0 && at.int('noop_with_empty_axes', 0) !== 0) return []
  return normalAxes(given, at.x(0).dims.length)
}

/**
 * For every group of elements along `axes` of which `extreme` is the largest or smallest: 1 / count at those
 * that equal it, else 0. The gradient is shared between equals, as PyTorch's amax shares it.
 */
export function shareOfEqual(ops: Operators, x: Value, extreme: Value, axes: readonly number[]): Value {
  const mask = ops.equal(x, extreme)
  return ops.div(mask, ops.reduceSum(mask, axes))
}

/** dy and y, kept, to a rule that is an expression of them: most reductions are. */
function reduction(gradient: (ops: Operators, x: Value, dy: Value, y: Value) => Value): Rule {
  return at => [
    () => {
      const axes = axesOf(at)
      const y = at.ops.reshape(at.y(), reducedDims(at.x(0).dims, axes, true))
      return gradient(at.ops, at.x(0), kept(at, axes), y)
    },
  ]
}

/** Keeps the norm of a group of zeros from dividing zero by zero: its gradient is zero, as PyTorch has it. */
const SMALLEST_NORM = 1e-30

const extreme: Rule = at => [
  () => {
    const axes = axesOf(at)
    const y = at.ops.reshape(at.y(), reducedDims(at.x(0).dims, axes, true))
    return at.ops.mul(kept(at, axes), shareOfEqual(at.ops, at.x(0), y, axes))
  },
]

export const reduceRules: RuleTable = {
  ReduceSum: at => [() => kept(at, axesOf(at))],
  ReduceMean: at => [
    () => {
      const axes = axesOf(at)
      const count = sizeOf(at.x(0).dims) / sizeOf(reducedDims(at.x(0).dims, axes, true))
      return at.ops.scale(kept(at, axes), 1 / count)
    },
  ],
  ReduceMax: extreme,
  ReduceMin: extreme,
  ReduceL1: reduction((ops, x, dy) => ops.mul(dy, ops.sign(x))),
  ReduceL2: reduction((ops, x, dy, y) => ops.mul(x, ops.div(dy, ops.max(y, ops.scalar(SMALLEST_NORM, y))))),
  ReduceSumSquare: reduction((ops, x, dy) => ops.mul(x, ops.scale(dy, 2))),
  ReduceLogSum: reduction((ops, _, dy, y) => ops.mul(dy, ops.exp(ops.neg(y)))),
  ReduceLogSumExp: reduction((ops, x, dy, y) => ops.mul(dy, ops.exp(ops.sub(x, y)))),
  /** For factors other than zero: a product of the others would need one pass a factor. */
  ReduceProd: reduction((ops, x, dy, y) => ops.div(ops.mul(dy, y), x)),
}
