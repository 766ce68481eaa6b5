/** Whether a version that served before fits the new samples, so that nothing needs to be learned. */
import type { Comparison, TrainerJob } from '../core/trainer-messages.ts'
import type { Dataset } from './dataset.ts'
import { type EvaluationOptions, evaluate } from './evaluate.ts'
import { compareScores, probabilityOfChance } from './paired-test.ts'

export type EarlierVersion = NonNullable<TrainerJob['earlier']>[number]

/** What is asked of it: it takes away as much of the error as a retraining is expected to. */
const leastRecovery = 0.8

export interface EarlierScore {
  accuracy: number
  comparison: Comparison
}

/**
 * The place of the version that is to be the candidate, or undefined: the most accurate one of those that are better than
 * the current one, surely and by four fifths of its errors. Pure.
 */
export function chooseEarlier(
  current: number,
  earlier: readonly EarlierScore[],
  significance: number,
): number | undefined {
  const fitting = [...earlier.entries()].filter(
    ([, { accuracy, comparison }]) =>
      accuracy > current &&
      1 - accuracy <= (1 - leastRecovery) * (1 - current) &&
      probabilityOfChance(comparison) <= significance,
  )
  return fitting.toSorted(([, a], [, b]) => b.accuracy - a.accuracy)[0]?.[0]
}

/** Tries them on `pictures`. `undefined`: none fits; `stopped`: it was. */
export async function findFitting(
  { job, significance }: { job: TrainerJob; significance: number },
  pictures: Dataset,
  options: EvaluationOptions,
): Promise<EarlierVersion | undefined | 'stopped'> {
  const earlier = job.earlier ?? []
  if (earlier.length === 0 || pictures.length === 0) return undefined
  const [current] = (await evaluate(job.model.file, [pictures], job.model.labels, options)) ?? []
  if (current === undefined) return 'stopped'
  const scores: EarlierScore[] = []
  for (const { file, labels } of earlier) {
    const [score] = (await evaluate(file, [pictures], labels, options)) ?? []
    if (score === undefined) return 'stopped'
    scores.push({ accuracy: score.accuracy ?? 0, comparison: compareScores(current.scores, score.scores) })
  }
  const chosen = chooseEarlier(current.accuracy ?? 0, scores, significance)
  return chosen === undefined ? undefined : earlier[chosen]
}
