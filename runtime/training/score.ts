/** How well a model's outputs fit what its labels say: accuracy, as a retraining's `accept` means it. Pure. */
import type { Loss } from '../core/definition.ts'

export interface Scorer {
  /** One picture: the model's outputs, -Infinity for one that it does not have, and the targets. */
  add(outputs: readonly number[], targets: Float32Array): void
  /** Null without pictures. */
  accuracy(): number | null
}

/** `threshold`: from which output a label of `binary-cross-entropy` applies. */
export function createScorer(loss: Loss, threshold: number): Scorer {
  if (loss === 'mean-squared-error') return determination()
  let [right, all] = [0, 0]
  return {
    add(outputs, targets) {
      if (loss === 'softmax-cross-entropy') {
        right += indexOfLargest(outputs) === indexOfLargest(targets) ? 1 : 0
        all += 1
        return
      }
      for (const [index, target] of targets.entries()) {
        right += (outputs[index] ?? Number.NaN) > threshold === target > 0.5 ? 1 : 0
        all += 1
      }
    },
    accuracy: () => (all === 0 ? null : right / all),
  }
}

/**
 * The coefficient of determination over all outputs, R^2 = 1 - sum (t - y)^2 / sum (t - mean t)^2, means taken an
 * output. Targets that do not vary give 1 when they are met exactly, else 0.
 */
function determination(): Scorer {
  const sums: { count: number; sum: number; squares: number; residual: number }[] = []
  return {
    add(outputs, targets) {
      for (const [index, target] of targets.entries()) {
        const before = sums[index] ?? { count: 0, sum: 0, squares: 0, residual: 0 }
        sums[index] = {
          count: before.count + 1,
          sum: before.sum + target,
          squares: before.squares + target ** 2,
          residual: before.residual + (target - finite(outputs[index] ?? Number.NaN)) ** 2,
        }
      }
    },
    accuracy() {
      if (sums.length === 0) return null
      const total = (values: number[]) => values.reduce((all, value) => all + value, 0)
      const residual = total(sums.map(each => each.residual))
      const variation = total(sums.map(({ count, sum, squares }) => squares - sum ** 2 / count))
      if (variation <= 1e-12) return residual <= 1e-12 ? 1 : 0
      return 1 - residual / variation
    },
  }
}

/** An output that a model does not have counts as 0. */
const finite = (output: number) => (output === Number.NEGATIVE_INFINITY ? 0 : output)

function indexOfLargest(values: ArrayLike<number>): number {
  let best = 0
  for (let index = 1; index < values.length; index += 1) {
    if ((values[index] ?? 0) > (values[best] ?? 0)) best = index
  }
  return best
}
