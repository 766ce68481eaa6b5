/** Normalizations whose scale and bias, if they have any, are laid along the normalized axes. */
import type { Value } from '../emitter.ts'
import type { Differentiation, Rule, RuleTable } from '../rule.ts'
import { normalAxis, range, sizeOf } from '../shape.ts'
import { meanOver, normalize } from './normalize.ts'

/** Over the axes from `axis` on; scale and bias have any shape that broadcasts to these. */
const layerNormalization: Rule = at => {
  const { dy, ops, x } = at
  const rank = dy.dims.length
  const axes = range(rank).slice(normalAxis(at.int('axis', -1), rank))
  const { normal, pullback } = normalize(ops, x(0), { axes, epsilon: at.float('epsilon', 1e-5) })
  return [
    () => pullback(ops.mul(dy, x(1))),
    () => summed(at, ops.mul(dy, normal()), 1),
    () => summed(at, dy, 2),
  ]
}

function summed({ ops, x }: Differentiation, value: Value, index: number): Value {
  const { dims } = x(index)
  const leading = range(value.dims.length - dims.length)
  return sizeOf(dims) === sizeOf(value.dims) ? value : ops.reduceSum(value, leading, false)
}

/** y = x / rms scale over the axes from `axis` on: inv (g - n mean(g n)) with n = x inv (Zhang, Sennrich 2019). */
const rootMeanSquareNormalization: Rule = at => {
  const { dy, ops, x } = at
  const rank = dy.dims.length
  const axes = range(rank).slice(normalAxis(at.int('axis', -1), rank))
  const square = meanOver(ops, ops.mul(x(0), x(0)), axes)
  const root = ops.sqrt(ops.add(square, ops.scalar(at.float('epsilon', 1e-5), dy)))
  const normal = ops.div(x(0), root)
  return [
    () => {
      const g = ops.mul(dy, x(1))
      return ops.div(ops.sub(g, ops.mul(normal, meanOver(ops, ops.mul(g, normal), axes))), root)
    },
    () => summed(at, ops.mul(dy, normal), 1),
  ]
}

/** y = x / norm: (dy - y sum(dy y)) / norm for the Euclidean norm, (dy - sign(x) sum(dy y)) / norm for the sum. */
const lpNormalization: Rule = at => [
  () => {
    const { dy, ops, x, y } = at
    const axis = normalAxis(at.int('axis', -1), dy.dims.length)
    const euclidean = at.int('p', 2) === 2
    const size = ops.reduceSum(euclidean ? ops.mul(x(0), x(0)) : ops.abs(x(0)), [axis])
    const along = euclidean ? y() : ops.sign(x(0))
    const inner = ops.sub(dy, ops.mul(along, ops.reduceSum(ops.mul(dy, y()), [axis])))
    return ops.div(inner, euclidean ? ops.sqrt(size) : size)
  },
]

export const layerNormalizationRules: RuleTable = {
  LayerNormalization: layerNormalization,
  RMSNormalization: rootMeanSquareNormalization,
  LpNormalization: lpNormalization,
}
