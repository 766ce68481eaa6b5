/**
 * How well a model's outputs fit what its labels say: picture by picture, so that two models can be compared on the same
 * ones, and as a whole: accuracy, as a retraining's `accept` means it, and the loss, without smoothing and weights. Outputs
 * that are no numbers, of a model that has diverged, are wrong. Pure.
 */
import type { Loss } from '../core/retraining-definition.ts'

/** What the model ends in: an activation of the loss's own gives probabilities, anything else the scores before it. */
export type Activation = 'Softmax' | 'Sigmoid' | undefined

export interface Score {
  /** Of each picture, for comparison alone: the larger, the better. */
  scores: number[]
  /** Null without pictures. */
  accuracy: number | null
  /** Mean over the pictures; null without any. */
  loss: number | null
  count: number
}

export interface Scorer {
  /** One picture: the model's outputs, -Infinity for one that it does not have, and the targets. */
  add(outputs: readonly number[], targets: Float32Array): void
  result(): Score
}

export function createScorer(loss: Loss, activation: Activation): Scorer {
  const scores: number[] = []
  let lossSum = 0
  const judge = judges[loss](activation)
  return {
    add(outputs, targets) {
      const judged = judge.add(outputs, targets)
      scores.push(judged.score)
      lossSum += judged.loss
    },
    result() {
      const count = scores.length
      return {
        scores,
        accuracy: count === 0 ? null : judge.accuracy(scores),
        loss: count === 0 ? null : lossSum / count,
        count,
      }
    },
  }
}

interface Judge {
  add(outputs: readonly number[], targets: Float32Array): { score: number; loss: number }
  accuracy(scores: readonly number[]): number
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

const judges: Record<Loss, (activation: Activation) => Judge> = {
  'softmax-cross-entropy': activation => ({
    add(outputs, targets) {
      const right = indexOfLargest(targets)
      const probability = activation === 'Softmax' ? (outputs[right] ?? 0) : softmaxAt(outputs, right)
      const isRight = !outputs.some(Number.isNaN) && indexOfLargest(outputs) === right
      return { score: isRight ? 1 : 0, loss: -logOf(probability) }
    },
    accuracy: mean,
  }),
  // Each picture has as many decisions as there are labels: their share of right ones is the accuracy too.
  'binary-cross-entropy': activation => ({
    add(outputs, targets) {
      let [right, loss] = [0, 0]
      for (const [index, target] of targets.entries()) {
        const output = outputs[index] ?? Number.NaN
        const probability = activation === 'Sigmoid' ? output : 1 / (1 + Math.exp(-output))
        right += !Number.isNaN(probability) && probability > 0.5 === target > 0.5 ? 1 : 0
        loss -= target * logOf(probability) + (1 - target) * logOf(1 - probability)
      }
      return { score: right / targets.length, loss: loss / targets.length }
    },
    accuracy: mean,
  }),
  'mean-squared-error': determination,
}

/**
 * The coefficient of determination over all outputs, R^2 = 1 - sum (t - y)^2 / sum (t - mean t)^2, means taken an
 * output. Targets that do not vary give 1 when they are met exactly, else 0.
 */
function determination(): Judge {
  const sums: { count: number; sum: number; squares: number; residual: number }[] = []
  return {
    add(outputs, targets) {
      let squares = 0
      for (const [index, target] of targets.entries()) {
        const before = sums[index] ?? { count: 0, sum: 0, squares: 0, residual: 0 }
        const square = (target - finite(outputs[index] ?? Number.NaN)) ** 2
        sums[index] = {
          count: before.count + 1,
          sum: before.sum + target,
          squares: before.squares + target ** 2,
          residual: before.residual + square,
        }
        squares += square
      }
      return { score: -squares, loss: squares / targets.length }
    },
    accuracy() {
      const total = (values: number[]) => values.reduce((all, value) => all + value, 0)
      const residual = total(sums.map(each => each.residual))
      const variation = total(sums.map(({ count, sum, squares }) => squares - sum ** 2 / count))
      if (variation <= 1e-12) return residual <= 1e-12 ? 1 : 0
      return 1 - residual / variation
    },
  }
}

/** An output that a model does not have counts as 0; one that is no number is as wrong as squares can tell. */
function finite(output: number): number {
  if (output === Number.NEGATIVE_INFINITY) return 0
  return Number.isFinite(output) ? output : 1e15
}

/**
 * A probability of 0 is an error of rounding, or of a class that the model does not have, and one that is no number comes
 * from a model that has diverged: bad, but not endlessly so.
 */
const logOf = (probability: number) => Math.log(Math.max(Number.isNaN(probability) ? 0 : probability, 1e-7))

function softmaxAt(outputs: readonly number[], index: number): number {
  const largest = Math.max(...outputs)
  const sum = outputs.reduce((all, output) => all + Math.exp(output - largest), 0)
  return Math.exp((outputs[index] ?? Number.NEGATIVE_INFINITY) - largest) / sum
}

function indexOfLargest(values: ArrayLike<number>): number {
  let best = 0
  for (let index = 1; index < values.length; index += 1) {
    if ((values[index] ?? 0) > (values[best] ?? 0)) best = index
  }
  return best
}
