/**
 * Losses with a weight a sample, composed of operators that every provider has. Each gradient is written out
 * instead of differentiated: fewer nodes, and no gradient through what only keeps exp in range.
 */
import type { Value } from './emitter.ts'
import type { Operators } from './operators/index.ts'
import { dimAt } from './shape.ts'

/**
 * - `softmax-cross-entropy`: one of K classes; targets are a distribution over them: one-hot, smoothed or mixed.
 * - `binary-cross-entropy`: any of K labels; targets are 0 or 1, or between.
 * - `mean-squared-error`: K numbers.
 */
export type Loss = 'softmax-cross-entropy' | 'binary-cross-entropy' | 'mean-squared-error'

export interface LossInputs {
  /** float32 [N, K]: the logits, or for the squared error the output itself. */
  scores: Value
  /** float32 [N, K] */
  targets: Value
  /** float32 [N]: what each sample's loss counts; 0 leaves a sample out, as the padding of a last batch. */
  share: Value
}

interface Terms {
  /** l_n for every sample: float32 [N, 1] */
  each: Value
  /** dl_n / dz_n: float32 [N, K] */
  slope: Value
}

/** Keeps a batch in which nothing counts from dividing by zero. */
const SMALLEST_TOTAL = 1e-12

/** weights [N] as shares of their sum: the loss becomes a weighted mean. */
export function sharesOf(ops: Operators, weights: Value): Value {
  return ops.div(weights, totalOf(ops, ops.reduceSum(weights, [0], false)))
}

/** The sum of all weights, float32 [], kept from zero. */
export function totalOf(ops: Operators, sum: Value): Value {
  return ops.max(sum, ops.scalar(SMALLEST_TOTAL, sum))
}

/** @returns loss = sum_n share_n l_n, float32 []; gradient by the scores, float32 [N, K] */
export function applyLoss(ops: Operators, loss: Loss, { scores, targets, share }: LossInputs) {
  const { each, slope } = losses[loss](ops, scores, targets)
  const column = ops.reshape(share, [dimAt(share.dims, 0), 1])
  return { loss: ops.reduceSum(ops.mul(each, column), [0, 1], false), gradient: ops.mul(slope, column) }
}

const losses: Record<Loss, (ops: Operators, scores: Value, targets: Value) => Terms> = {
  'softmax-cross-entropy': softmaxCrossEntropy,
  'binary-cross-entropy': binaryCrossEntropy,
  'mean-squared-error': meanSquaredError,
}

/** l_n = -sum_k t_nk log softmax(z_n)_k; its gradient is softmax(z_n) sum_k t_nk - t_n. */
function softmaxCrossEntropy(ops: Operators, scores: Value, targets: Value): Terms {
  const centred = ops.sub(scores, ops.reduceMax(scores, [1]))
  const exponentials = ops.exp(centred)
  const sum = ops.reduceSum(exponentials, [1])
  const logProbabilities = ops.sub(centred, ops.log(sum))
  const softmax = ops.div(exponentials, sum)
  return {
    each: ops.neg(ops.reduceSum(ops.mul(targets, logProbabilities), [1])),
    slope: ops.sub(ops.mul(softmax, ops.reduceSum(targets, [1])), targets),
  }
}

/**
 * l_n = mean_k of -t log s(z) - (1 - t) log(1 - s(z)) with s the sigmoid, in the form max(z, 0) - z t + log(1 +
 * exp(-|z|)) that never overflows; its gradient is (s(z) - t) / K (PyTorch's BCEWithLogitsLoss).
 */
function binaryCrossEntropy(ops: Operators, scores: Value, targets: Value): Terms {
  const tail = ops.log(ops.add(ops.exp(ops.neg(ops.abs(scores))), ops.scalar(1, scores)))
  const line = ops.sub(ops.max(scores, ops.scalar(0, scores)), ops.mul(scores, targets))
  const labels = dimAt(scores.dims, 1)
  return {
    each: ops.scale(ops.reduceSum(ops.add(line, tail), [1]), 1 / labels),
    slope: ops.scale(ops.sub(ops.sigmoid(scores), targets), 1 / labels),
  }
}

/** l_n = mean_k (z - t)^2; its gradient is 2 (z - t) / K. */
function meanSquaredError(ops: Operators, scores: Value, targets: Value): Terms {
  const difference = ops.sub(scores, targets)
  const numbers = dimAt(scores.dims, 1)
  return {
    each: ops.scale(ops.reduceSum(ops.mul(difference, difference), [1]), 1 / numbers),
    slope: ops.scale(difference, 2 / numbers),
  }
}
