/** The formula that normalizations share: over which axes, and with which scale and bias, is theirs. */
import type { Value } from '../emitter.ts'
import type { Operators } from '../operators/index.ts'
import { dimAt, range } from '../shape.ts'

export interface Normalized {
  /** n = (x - mean) inv with inv = 1 / sqrt(variance + epsilon), over the axes. */
  normal(): Value
  /** inv (g - mean(g) - n mean(g n)) for a gradient g by n (Ba, Kiros, Hinton 2016, by the chain rule). */
  pullback(g: Value): Value
}

interface NormalizeOptions {
  axes: readonly number[]
  epsilon: number
  /** Known values instead of those of x over the axes. */
  mean?: Value
  variance?: Value
}

export function meanOver(ops: Operators, x: Value, axes: readonly number[]): Value {
  const count = axes.reduce((product, axis) => product * dimAt(x.dims, axis), 1)
  return ops.scale(ops.reduceSum(x, axes), 1 / count)
}

export function normalize(
  ops: Operators,
  x: Value,
  { axes, epsilon, ...given }: NormalizeOptions,
): Normalized {
  const mean = (value: Value) => meanOver(ops, value, axes)
  const centred = () => ops.sub(x, given.mean ?? mean(x))
  const deviation = () => {
    const variance = given.variance ?? mean(ops.mul(centred(), centred()))
    return ops.sqrt(ops.add(variance, ops.scalar(epsilon, x)))
  }
  const normal = () => ops.div(centred(), deviation())
  return {
    normal,
    pullback: g =>
      ops.div(ops.sub(ops.sub(g, mean(g)), ops.mul(normal(), mean(ops.mul(g, normal())))), deviation()),
  }
}

/** A vector [C] beside a tensor of this rank with its channels on axis 1. */
export function onChannels(ops: Operators, vector: Value, rank: number): Value {
  return ops.reshape(vector, [1, dimAt(vector.dims, 0), ...range(rank - 2).map(() => 1)])
}

export function exceptChannels(rank: number): number[] {
  return range(rank).filter(axis => axis !== 1)
}
