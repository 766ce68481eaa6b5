// What the trials of a drift come to: accuracy before and after retraining, and what it cost. Pure.
import type { DriftName } from '../pictures/drift.ts'
import { type Figure, figure } from './figures.ts'

/** One retraining under one drift. Accuracies are parts of the held-out pictures, 0 to 1. */
export interface Trial {
  /** On drifted pictures. */
  before: number
  after: number
  /** On pictures without the drift. */
  cleanBefore: number
  cleanAfter: number
  /** From the trainer's start to the candidate on disk. */
  seconds: number
}

/**
 * The study that this matches: a PyTorch fine-tune of all parameters of the same model on 200 labels, 8 epochs (Adam
 * 1e-3, batch-norm statistics frozen, clean lines replayed). A bar that is missed is shown, not moved.
 */
const reachedBefore: Record<DriftName, number> = {
  'low-light': 0.9,
  blur: 0.948,
  'low-contrast': 0.963,
  stripes: 0.952,
  handwriting: 0.965,
}
const leastClean = 0.968
const mostCleanLoss = 0.02
const leastRecovery = 0.8

/** Part of the accuracy that the drift cost which came back; above 1 where the candidate beats the clean start. */
export function recovery({ before, after, cleanBefore }: Trial): number {
  const lost = cleanBefore - before
  return lost > 0 ? (after - before) / lost : 1
}

export function driftFigures(drift: DriftName, trials: readonly Trial[], quick: boolean): Figure[] {
  const of = (name: string, unit: string, measure: (trial: Trial) => number, bound: string | null = null) =>
    figure(`${drift}: ${name}`, unit, trials.map(measure), { bound, quick })
  return [
    of('accuracy before', '', ({ before }) => before),
    of('accuracy after', '', ({ after }) => after, `>= ${reachedBefore[drift]}`),
    of('clean accuracy after', '', ({ cleanAfter }) => cleanAfter, `>= ${leastClean}`),
    of('clean loss', '', ({ cleanBefore, cleanAfter }) => cleanBefore - cleanAfter, `<= ${mostCleanLoss}`),
    of('recovery', '', recovery),
    of('training', 's', ({ seconds }) => seconds),
  ]
}

/** Over all drifts, round by round: how many recover, allowing for one that does not. */
export function recoveredFigure(trials: ReadonlyMap<DriftName, readonly Trial[]>, quick: boolean): Figure {
  const [first = []] = trials.values()
  const recovered = first.map(
    (_, round) =>
      [...trials.values()].filter(rounds => rounds[round] && recovery(rounds[round]) >= leastRecovery).length,
  )
  const name = `drifts that recover ${leastRecovery} or more`
  return figure(name, `of ${trials.size}`, recovered, { bound: `>= ${trials.size - 1}`, quick })
}
