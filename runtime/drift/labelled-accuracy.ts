/** How often a version was right, where the truth became known: the first answers against the last ones. Pure. */
import { z } from 'zod'
import { fisherProbability } from './class-shift.ts'
import { type Finding, shareOfLook } from './look.ts'
import { type Share, wilsonShare } from './wilson.ts'

/** Answers on either side of the comparison. */
const windowSize = 100
/** Answers from look to look. */
const lookEvery = 10

export const labelledStateSchema = z.object({
  /** Of the first answers: how many, and how many of them were right. */
  reference: z.object({ right: z.int(), count: z.int() }),
  /** The last answers after these, oldest first. */
  recent: z.array(z.boolean()),
  seen: z.int(),
})
export type LabelledState = z.output<typeof labelledStateSchema>

export const noLabels: LabelledState = { reference: { right: 0, count: 0 }, recent: [], seen: 0 }

export function withAnswer({ reference, recent, seen }: LabelledState, right: boolean): LabelledState {
  const next = { reference, recent, seen: seen + 1 }
  if (reference.count < windowSize) {
    next.reference = { right: reference.right + (right ? 1 : 0), count: reference.count + 1 }
  } else {
    next.recent = [...recent, right].slice(-windowSize)
  }
  return next
}

/** Accuracy of the last answers; while there are too few, of the first ones. */
export function accuracyNow({ reference, recent }: LabelledState): Share | undefined {
  return recent.length < windowSize
    ? wilsonShare(reference.right + rightOf(recent), reference.count + recent.length)
    : wilsonShare(rightOf(recent), recent.length)
}

/** Undefined when it is not time to look. An answer is at least a request, so the rate of false alarms holds for both. */
export function lookAtAccuracy(
  { reference, recent, seen }: LabelledState,
  falseAlarms: number,
): Finding | undefined {
  if (recent.length < windowSize || seen % lookEvery !== 0) return undefined
  const right = rightOf(recent)
  const probability = fisherProbability([right, recent.length], [reference.right, reference.count], 'less')
  return {
    test: 'labelled-accuracy',
    window: recent.length,
    statistic: reference.right / reference.count - right / recent.length,
    probability,
    risk: probability / shareOfLook(falseAlarms, lookEvery, 1),
  }
}

const rightOf = (answers: readonly boolean[]) => answers.filter(right => right).length
