/** From the scores of one picture to its best classes: pure. */
import type { Classification } from '../core/definition.ts'
import type { DeployedModel } from '../core/deployment.ts'

type Activation = DeployedModel['outputs'][number]['activation']

/** `scores`: float32 [classes]. Raw scores become probabilities by softmax; those that are some already are kept. */
export function classify(
  scores: Float32Array,
  activation: Activation,
  labels: readonly string[],
  count: number,
): Classification[] {
  const probabilities = activation === 'none' ? softmax(scores) : scores
  return Array.from(probabilities, (score, index) => ({
    label: labels[index] ?? String(index),
    index,
    score,
  }))
    .sort((a, b) => b.score - a.score)
    .slice(0, count)
}

/** Shifted by the maximum, so that no exponential overflows. */
function softmax(scores: Float32Array): Float64Array {
  const highest = scores.reduce((most, score) => Math.max(most, score), Number.NEGATIVE_INFINITY)
  const powers = Float64Array.from(scores, score => Math.exp(score - highest))
  const sum = powers.reduce((total, power) => total + power, 0)
  return powers.map(power => power / sum)
}
