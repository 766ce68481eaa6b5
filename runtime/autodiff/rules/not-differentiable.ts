/** Operators that no gradient passes, and why. The walk stops at them, as at a frozen tensor. */
import { notDifferentiable, type RuleTable } from '../rule.ts'

const flat = notDifferentiable('it is constant between its jumps: the derivative is zero')
const truth = notDifferentiable('its output is true or false')
const index = notDifferentiable('its output is an index or a shape')

export const notDifferentiableRules: RuleTable = {
  Ceil: flat,
  Floor: flat,
  Round: flat,
  Sign: flat,
  Hardmax: flat,
  QuantizeLinear: flat,
  DynamicQuantizeLinear: flat,
  And: truth,
  Equal: truth,
  Greater: truth,
  GreaterOrEqual: truth,
  IsInf: truth,
  IsNaN: truth,
  Less: truth,
  LessOrEqual: truth,
  Not: truth,
  Or: truth,
  Xor: truth,
  BitwiseAnd: notDifferentiable('it works on the bits of integers'),
  BitwiseNot: notDifferentiable('it works on the bits of integers'),
  BitwiseOr: notDifferentiable('it works on the bits of integers'),
  BitwiseXor: notDifferentiable('it works on the bits of integers'),
  BitShift: notDifferentiable('it works on the bits of integers'),
  ArgMax: index,
  ArgMin: index,
  NonMaxSuppression: index,
  OneHot: index,
  Range: index,
  Multinomial: index,
  NonZero: index,
  Shape: index,
  Size: index,
  Constant: notDifferentiable('it has no input'),
  EyeLike: notDifferentiable('it depends on its input by shape alone'),
  RandomNormalLike: notDifferentiable('it depends on its input by shape alone'),
  RandomUniformLike: notDifferentiable('it depends on its input by shape alone'),
  Bernoulli: notDifferentiable('it is drawn at random'),
  ConstantOfShape: notDifferentiable('it depends on its input by shape alone'),
}
