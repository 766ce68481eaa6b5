/** Normalizations with a scale and a bias a channel (axis 1). */
import type { Value } from '../emitter.ts'
import type { Rule, RuleTable } from '../rule.ts'
import { dimAt, range, sizeOf } from '../shape.ts'
import { exceptChannels, normalize, onChannels } from './normalize.ts'

/** y = (x - mean) * inv * scale + bias with frozen mean and inv = 1/sqrt(var + epsilon), one number a channel. */
const batchNormalization: Rule = at => {
  if (at.int('training_mode', 0) !== 0) return batchStatistics(at)
  const { dy, ops, x } = at
  const rank = dy.dims.length
  const epsilon = at.float('epsilon', 1e-5)
  const inverse = () => ops.div(ops.scalar(1, x(4)), ops.sqrt(ops.add(x(4), ops.scalar(epsilon, x(4)))))
  const total = () => ops.reduceSum(dy, exceptChannels(rank), false)
  return [
    () => ops.mul(dy, onChannels(ops, ops.mul(x(1), inverse()), rank)),
    // sum(dy (x - mean)) inv, with the mean taken out of the sum: one pass over the large tensors.
    () => {
      const product = ops.reduceSum(ops.mul(dy, x(0)), exceptChannels(rank), false)
      return ops.mul(ops.sub(product, ops.mul(x(3), total())), inverse())
    },
    total,
  ]
}

/** The same where inputs 3 and 4 are mean and variance of this very batch (see batch-statistics.ts). */
const batchStatistics: Rule = at => {
  const { dy, ops, x } = at
  const rank = dy.dims.length
  const axes = exceptChannels(rank)
  const { normal, pullback } = normalize(ops, x(0), {
    axes,
    epsilon: at.float('epsilon', 1e-5),
    mean: onChannels(ops, x(3), rank),
    variance: onChannels(ops, x(4), rank),
  })
  return [
    () => pullback(ops.mul(dy, onChannels(ops, x(1), rank))),
    () => ops.reduceSum(ops.mul(dy, normal()), axes, false),
    () => ops.reduceSum(dy, axes, false),
  ]
}

/** Over the axes after the channels, an image and a channel at a time. */
const instanceNormalization: Rule = at => {
  const { dy, ops, x } = at
  const rank = dy.dims.length
  const { normal, pullback } = normalize(ops, x(0), {
    axes: range(rank).slice(2),
    epsilon: at.float('epsilon', 1e-5),
  })
  return [
    () => pullback(ops.mul(dy, onChannels(ops, x(1), rank))),
    () => ops.reduceSum(ops.mul(dy, normal()), exceptChannels(rank), false),
    () => ops.reduceSum(dy, exceptChannels(rank), false),
  ]
}

/** Over groups of channels: [N, C, ...] is [N, groups, all else] while it is normalized. */
const groupNormalization: Rule = at => {
  const { dy, ops, x } = at
  const [batch = 0, channels = 0] = dy.dims
  const groups = at.int('num_groups', 1)
  const grouped = [batch, groups, sizeOf(dy.dims) / batch / groups]
  const { normal, pullback } = normalize(ops, ops.reshape(x(0), grouped), {
    axes: [2],
    epsilon: at.float('epsilon', 1e-5),
  })
  // One scale a channel since operator set 21, one a group before.
  const scaled = [batch, dimAt(x(1).dims, 0), sizeOf(dy.dims) / batch / dimAt(x(1).dims, 0)]
  const total = (value: Value) => ops.reduceSum(ops.reshape(value, scaled), [0, 2], false)
  if (channels % groups !== 0) at.refuse(`${groups} groups do not divide ${channels} channels`)
  return [
    () => {
      const g = ops.mul(ops.reshape(dy, scaled), onChannels(ops, x(1), 3))
      return ops.reshape(pullback(ops.reshape(g, grouped)), dy.dims)
    },
    () => total(ops.mul(ops.reshape(dy, grouped), normal())),
    () => total(dy),
  ]
}

export const normalizationRules: RuleTable = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: instanceNormalization,
  GroupNormalization: groupNormalization,
}
