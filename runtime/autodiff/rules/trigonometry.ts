/** Trigonometric and hyperbolic functions: one derivative a line. */
import type { Value } from '../emitter.ts'
import type { Operators } from '../operators/index.ts'
import type { Rule, RuleTable } from '../rule.ts'

/** dy times the derivative. */
const by =
  (slope: (ops: Operators, x: Value, y: Value) => Value): Rule =>
  ({ dy, ops, x, y }) => [() => ops.mul(dy, slope(ops, x(0), y()))]

/** dy divided by the square root of `inner`. */
const byRoot =
  (inner: (ops: Operators, square: Value, one: Value) => Value): Rule =>
  ({ dy, ops, x }) => [() => ops.div(dy, ops.sqrt(inner(ops, ops.mul(x(0), x(0)), ops.scalar(1, dy))))]

export const trigonometryRules: RuleTable = {
  Sin: by((ops, x) => ops.unary('Cos', x)),
  Cos: by((ops, x) => ops.neg(ops.unary('Sin', x))),
  Tan: by((ops, x, y) => ops.add(ops.mul(y, y), ops.scalar(1, x))),
  Sinh: by((ops, x) => ops.unary('Cosh', x)),
  Cosh: by((ops, x) => ops.unary('Sinh', x)),
  Asin: byRoot((ops, square, one) => ops.sub(one, square)),
  Acos: ({ dy, ops, x }) => [
    () => ops.neg(ops.div(dy, ops.sqrt(ops.sub(ops.scalar(1, dy), ops.mul(x(0), x(0)))))),
  ],
  Asinh: byRoot((ops, square, one) => ops.add(square, one)),
  Acosh: byRoot((ops, square, one) => ops.sub(square, one)),
  Atan: ({ dy, ops, x }) => [() => ops.div(dy, ops.add(ops.mul(x(0), x(0)), ops.scalar(1, dy)))],
  Atanh: ({ dy, ops, x }) => [() => ops.div(dy, ops.sub(ops.scalar(1, dy), ops.mul(x(0), x(0))))],
}
