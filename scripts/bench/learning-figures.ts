// What the trials of a drift come to: accuracy before and after retraining, and what it cost. Pure.
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

/** What the figures of a subject are judged by, beside what holds for all of them. */
export interface Bars {
  /** Least accuracy after retraining, by drift. */
  after?: Readonly<Record<string, number>>
  /** Least clean accuracy after it. */
  clean: number
}

const mostCleanLoss = 0.02
const leastRecovery = 0.8

/** Part of the accuracy that the drift cost which came back; above 1 where the candidate beats the clean start. */
export function recovery({ before, after, cleanBefore }: Trial): number {
  const lost = cleanBefore - before
  return lost > 0 ? (after - before) / lost : 1
}

/** `what`: the subject and its drift. */
export function driftFigures(
  what: { subject: string; drift: string },
  trials: readonly Trial[],
  bars: Bars,
  quick: boolean,
): Figure[] {
  const of = (name: string, unit: string, measure: (trial: Trial) => number, bound: string | null = null) =>
    figure(`${what.subject}, ${what.drift}: ${name}`, unit, trials.map(measure), { bound, quick })
  const after = bars.after?.[what.drift]
  return [
    of('accuracy before', '', ({ before }) => before),
    of('accuracy after', '', ({ after }) => after, after === undefined ? null : `>= ${after}`),
    of('clean accuracy after', '', ({ cleanAfter }) => cleanAfter, `>= ${bars.clean}`),
    of('clean loss', '', ({ cleanBefore, cleanAfter }) => cleanBefore - cleanAfter, `<= ${mostCleanLoss}`),
    of('recovery', '', recovery),
    of('training', 'min', ({ seconds }) => seconds / 60),
  ]
}

/** Over all drifts of a subject, round by round: how many recover, allowing for one that does not. */
export function recoveredFigure(
  subject: string,
  trials: ReadonlyMap<string, readonly Trial[]>,
  quick: boolean,
): Figure {
  const [first = []] = trials.values()
  const recovered = first.map(
    (_, round) =>
      [...trials.values()].filter(rounds => rounds[round] && recovery(rounds[round]) >= leastRecovery).length,
  )
  const name = `${subject}: drifts that recover ${leastRecovery} or more`
  return figure(name, `of ${trials.size}`, recovered, { bound: `>= ${trials.size - 1}`, quick })
}
