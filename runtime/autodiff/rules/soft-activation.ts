/** Activations with curved parts, from the derivative of each formula in the ONNX operator list. */
import type { Value } from '../emitter.ts'
import type { Operators } from '../operators/index.ts'
import type { Rule, RuleTable } from '../rule.ts'

/** `left` where x <= 0, `right` where x > 0. */
function sided(ops: Operators, x: Value, left: Value, right: Value): Value {
  return ops.add(left, ops.mul(ops.step(x), ops.sub(right, left)))
}

/** gamma x on the right; on the left y = gamma alpha (exp(x / width) - 1), whose slope is (y + gamma alpha) / width. */
function exponentialUnit(gamma: number, alpha: number, width: number): Rule {
  return ({ dy, ops, x, y }) => [
    () => {
      const left = ops.scale(ops.add(y(), ops.scalar(gamma * alpha, dy)), 1 / width)
      return ops.mul(dy, sided(ops, x(0), left, ops.scalar(gamma, dy)))
    },
  ]
}

/** x tanh(s) with s = softplus(x), t = tanh(s): t + x (1 - t^2) sigmoid(x). */
const mish: Rule = ({ dy, ops, x }) => [
  () => {
    const t = ops.tanh(ops.unary('Softplus', x(0)))
    const bend = ops.sub(ops.scalar(1, dy), ops.mul(t, t))
    return ops.mul(dy, ops.add(t, ops.mul(ops.mul(x(0), bend), ops.sigmoid(x(0)))))
  },
]

/** x F(x) with F the normal distribution: F(x) + x f(x), f(x) = exp(-x^2 / 2) / sqrt(2 pi). */
function gelu(ops: Operators, x: Value): Value {
  const erf = ops.unary('Erf', ops.scale(x, Math.SQRT1_2))
  const cumulative = ops.scale(ops.add(erf, ops.scalar(1, x)), 0.5)
  const density = ops.scale(ops.exp(ops.scale(ops.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI))
  return ops.add(cumulative, ops.mul(x, density))
}

/** x (1 + t) / 2 with t = tanh(u), u = c (x + k x^3), c = sqrt(2 / pi): (1 + t) / 2 + x (1 - t^2) / 2 u'. */
function geluByTanh(ops: Operators, x: Value): Value {
  const [c, k] = [Math.sqrt(2 / Math.PI), 0.044715]
  const square = ops.mul(x, x)
  const one = ops.scalar(1, x)
  const t = ops.tanh(ops.scale(ops.mul(x, ops.add(one, ops.scale(square, k))), c))
  const rise = ops.scale(ops.add(one, ops.scale(square, 3 * k)), c)
  const bend = ops.mul(ops.mul(x, ops.sub(one, ops.mul(t, t))), rise)
  return ops.scale(ops.add(ops.add(one, t), bend), 0.5)
}

export const softActivationRules: RuleTable = {
  Elu: at => exponentialUnit(1, at.float('alpha', 1), 1)(at),
  Celu: at => {
    const alpha = at.float('alpha', 1)
    return exponentialUnit(1, alpha, alpha)(at)
  },
  Selu: at =>
    exponentialUnit(at.float('gamma', 1.0507009873554805), at.float('alpha', 1.6732632423543772), 1)(at),
  /** The slope scales the left side, and has a gradient of its own: the left side's x. */
  PRelu: ({ dy, ops, x }) => [
    () => ops.mul(dy, sided(ops, x(0), x(1), ops.scalar(1, dy))),
    () => ops.mul(dy, ops.min(x(0), ops.scalar(0, dy))),
  ],
  ThresholdedRelu: at => [
    () => at.ops.mul(at.dy, at.ops.step(at.ops.sub(at.x(0), at.ops.scalar(at.float('alpha', 1), at.dy)))),
  ],
  /** Zero between -lambd and lambd, shifted towards zero outside. */
  Shrink: at => [
    () =>
      at.ops.mul(
        at.dy,
        at.ops.step(at.ops.sub(at.ops.abs(at.x(0)), at.ops.scalar(at.float('lambd', 0.5), at.dy))),
      ),
  ],
  Softplus: ({ dy, ops, x }) => [() => ops.mul(dy, ops.sigmoid(x(0)))],
  /** x / (1 + |x|) */
  Softsign: ({ dy, ops, x }) => [
    () => {
      const width = ops.add(ops.abs(x(0)), ops.scalar(1, dy))
      return ops.div(dy, ops.mul(width, width))
    },
  ],
  Mish: mish,
  Gelu: at => [
    () => {
      const slope = at.text('approximate', 'none') === 'tanh' ? geluByTanh : gelu
      return at.ops.mul(at.dy, slope(at.ops, at.x(0)))
    },
  ],
}
