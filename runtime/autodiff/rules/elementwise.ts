/** Arithmetic on two or more tensors that broadcast; the walk sums over the repeated axes. */
import { floatsOf } from '../../onnx/index.ts'
import type { Differentiation, Rule, RuleTable } from '../rule.ts'

/** d(x^p)/dx = p x^(p-1); d(x^p)/dp = x^p log x, for x > 0. */
const pow: Rule = at => {
  const { dy, ops } = at
  return [
    () => {
      const exponent = constantScalar(at, 1)
      if (exponent === 2) return ops.mul(ops.scale(dy, 2), at.x(0))
      if (exponent === 0.5) return ops.div(ops.scale(dy, 0.5), at.y())
      const p = ops.cast(at.x(1), dy.type)
      return ops.mul(dy, ops.mul(p, ops.pow(at.x(0), ops.sub(p, ops.scalar(1, p)))))
    },
    () => ops.mul(dy, ops.mul(at.y(), ops.log(at.x(0)))),
  ]
}

function constantScalar(at: Differentiation, index: number): number | undefined {
  const tensor = at.constant(index)
  if (tensor?.data.length !== 1 || tensor.type.startsWith('int')) return undefined
  return floatsOf(tensor)[0]
}

/** To each operand where it is the extreme; operands that tie share, so that one used twice gets all. */
const extreme: Rule = ({ dy, node, ops, x, y }) => {
  const mask = (index: number) => ops.equal(x(index), y())
  const ties = () => node.inputs.map((_, index) => mask(index)).reduce((sum, each) => ops.add(sum, each))
  return node.inputs.map((_, index) => () => ops.mul(dy, ops.div(mask(index), ties())))
}

export const elementwiseRules: RuleTable = {
  Add: ({ dy }) => [() => dy, () => dy],
  Sum: ({ dy, node }) => node.inputs.map(() => () => dy),
  Mean: ({ dy, node, ops }) => node.inputs.map(() => () => ops.scale(dy, 1 / node.inputs.length)),
  Max: extreme,
  Min: extreme,
  Sub: ({ dy, ops }) => [() => dy, () => ops.neg(dy)],
  Mul: ({ dy, ops, x }) => [() => ops.mul(dy, x(1)), () => ops.mul(dy, x(0))],
  /** d(a/b)/db = -(a/b)/b */
  Div: ({ dy, ops, x, y }) => [() => ops.div(dy, x(1)), () => ops.neg(ops.mul(ops.div(dy, x(1)), y()))],
  Pow: pow,
  Where: ({ dy, ops, x }) => [
    undefined,
    () => ops.where(x(0), dy, ops.scalar(0, dy)),
    () => ops.where(x(0), ops.scalar(0, dy), dy),
  ],
}
