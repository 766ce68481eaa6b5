/** LRN, local response normalization over neighbouring channels (Krizhevsky et al. 2012), as AlexNet's time had it. */
import type { Value } from '../emitter.ts'
import type { Operators } from '../operators/index.ts'
import type { Rule, RuleTable } from '../rule.ts'
import { sizeOf } from '../shape.ts'

/** [N, C, ...] -> the same: the sum over `before` channels before each, itself, and `after` channels after it. */
function overChannels(ops: Operators, x: Value, before: number, after: number): Value {
  const [batch = 0, channels = 0, ...spatial] = x.dims
  const column = ops.reshape(x, [batch, 1, channels, sizeOf(spatial)])
  const kernel = [before + 1 + after, 1]
  const ones = ops.expand(ops.scalar(1, x), [1, 1, ...kernel])
  const sums = ops.conv(column, ones, {
    kernel,
    strides: [1, 1],
    dilations: [1, 1],
    padBegin: [before, 0],
    padEnd: [after, 0],
    group: 1,
  })
  return ops.reshape(sums, x.dims)
}

/**
 * y = x s^-beta with s = bias + alpha / size * (sum of x^2 over the window around the channel):
 * dx = dy s^-beta - 2 alpha beta / size x (sum of dy y / s over the channels whose window holds this one).
 */
const localResponse: Rule = at => [
  () => {
    const { dy, ops, x, y } = at
    const size = at.int('size', 1)
    const alpha = at.float('alpha', 1e-4)
    const beta = at.float('beta', 0.75)
    const before = Math.floor((size - 1) / 2)
    const after = size - 1 - before
    const sums = overChannels(ops, ops.mul(x(0), x(0)), before, after)
    const s = ops.add(ops.scale(sums, alpha / size), ops.scalar(at.float('bias', 1), dy))
    const direct = ops.mul(dy, ops.pow(s, ops.scalar(-beta, dy)))
    const shared = overChannels(ops, ops.div(ops.mul(dy, y()), s), after, before)
    return ops.sub(direct, ops.scale(ops.mul(x(0), shared), (2 * alpha * beta) / size))
  },
]

export const localResponseRules: RuleTable = { LRN: localResponse }
