/** Functions of one tensor, element by element, and softmax. Derivatives use the output where that is cheaper. */
import { floatsOf } from '../../onnx/index.ts'
import type { Value } from '../emitter.ts'
import type { Operators } from '../operators/index.ts'
import type { Rule, RuleTable } from '../rule.ts'
import { normalAxis } from '../shape.ts'

/** 1 where |x - centre| < half, else 0: the slope of a clipped line, in one pass after Abs. */
function within(ops: Operators, x: Value, centre: number, half: number): Value {
  const distance = ops.abs(centre === 0 ? x : ops.sub(x, ops.scalar(centre, x)))
  return ops.hardSigmoid(distance, -1e30, 1e30 * half)
}

/** HardSigmoid(x) = max(0, min(1, alpha x + beta)): slope alpha between its two corners. */
function hardSigmoidMask(ops: Operators, x: Value, alpha: number, beta: number): Value {
  return within(ops, x, (0.5 - beta) / alpha, 0.5 / Math.abs(alpha))
}

const clip: Rule = at => {
  const { dy, ops, x } = at
  const bound = (index: number, none: number) => {
    if (!at.has(index)) return none
    const tensor = at.constant(index)
    if (!tensor) return at.refuse('its bounds are computed, not constant')
    return floatsOf(tensor)[0] ?? none
  }
  return [
    () => {
      const low = bound(1, -Infinity)
      const high = bound(2, Infinity)
      if (low === -Infinity && high === Infinity) return dy
      if (high === Infinity) return ops.mul(dy, ops.step(ops.sub(x(0), ops.scalar(low, dy))))
      if (low === -Infinity) return ops.mul(dy, ops.step(ops.sub(ops.scalar(high, dy), x(0))))
      return ops.mul(dy, within(ops, x(0), (low + high) / 2, (high - low) / 2))
    },
  ]
}

/** y (dy - sum(dy y)), from dy_i/dx_j = y_i (delta_ij - y_j). */
const softmax: Rule = at => {
  const { dy, ops, y } = at
  const axis = normalAxis(at.int('axis', -1), dy.dims.length)
  return [() => ops.mul(y(), ops.sub(dy, ops.reduceSum(ops.mul(dy, y()), [axis])))]
}

const logSoftmax: Rule = at => {
  const { dy, ops, y } = at
  const axis = normalAxis(at.int('axis', -1), dy.dims.length)
  return [() => ops.sub(dy, ops.mul(ops.exp(y()), ops.reduceSum(dy, [axis])))]
}

export const activationRules: RuleTable = {
  Relu: ({ dy, ops, y }) => [() => ops.mul(dy, ops.step(y()))],
  LeakyRelu: at => [
    () => {
      const { dy, ops, x } = at
      const alpha = at.float('alpha', 0.01)
      const slope = ops.add(ops.scale(ops.step(x(0)), 1 - alpha), ops.scalar(alpha, dy))
      return ops.mul(dy, slope)
    },
  ],
  Clip: clip,
  HardSigmoid: at => [
    () => {
      const alpha = at.float('alpha', 0.2)
      const mask = hardSigmoidMask(at.ops, at.x(0), alpha, at.float('beta', 0.5))
      return at.ops.mul(at.ops.scale(at.dy, alpha), mask)
    },
  ],
  /** x h(x) with h = HardSigmoid(alpha 1/6, beta 1/2): h + x/6 between -3 and 3. */
  HardSwish: ({ dy, ops, x }) => [
    () => {
      const slope = ops.scale(ops.mul(x(0), hardSigmoidMask(ops, x(0), 1 / 6, 0.5)), 1 / 6)
      return ops.mul(dy, ops.add(ops.hardSigmoid(x(0), 1 / 6, 0.5), slope))
    },
  ],
  Sigmoid: ({ dy, ops, y }) => [() => ops.mul(dy, ops.sub(y(), ops.mul(y(), y())))],
  Tanh: ({ dy, ops, y }) => [() => ops.sub(dy, ops.mul(dy, ops.mul(y(), y())))],
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  Exp: ({ dy, ops, y }) => [() => ops.mul(dy, y())],
  Log: ({ dy, ops, x }) => [() => ops.div(dy, x(0))],
  Sqrt: ({ dy, ops, y }) => [() => ops.div(ops.scale(dy, 0.5), y())],
  Reciprocal: ({ dy, ops, y }) => [() => ops.neg(ops.mul(dy, ops.mul(y(), y())))],
  Neg: ({ dy, ops }) => [() => ops.neg(dy)],
  Abs: ({ dy, ops, x }) => [() => ops.mul(dy, ops.sign(x(0)))],
  /** 2/sqrt(pi) exp(-x^2) */
  Erf: ({ dy, ops, x }) => [
    () => ops.mul(ops.scale(dy, 2 / Math.sqrt(Math.PI)), ops.exp(ops.neg(ops.mul(x(0), x(0))))),
  ],
}
