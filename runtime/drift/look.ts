/** A look at the last requests: every test at every length of window, against its part of the false-alarm rate. Pure. */
import { z } from 'zod'
import { classProbability, stabilityIndex } from './class-shift.ts'
import { distanceFrom, distanceProbability } from './ranked-reference.ts'
import type { Reference } from './reference.ts'
import type { SlidingWindow } from './sliding-window.ts'

export const testNames = ['top-probability', 'predicted-classes', 'features', 'labelled-accuracy'] as const
export type TestName = (typeof testNames)[number]

export const findingSchema = z.object({
  test: z.enum(testNames),
  /** Requests that were compared with the reference. */
  window: z.int(),
  /**
   * Kolmogorov-Smirnov distance (top-probability, features), population stability index (predicted-classes), accuracy
   * that was lost (labelled-accuracy).
   */
  statistic: z.number(),
  /** How probable as much or more is without drift, with the number of comparisons in the test counted in. */
  probability: z.number(),
  /** The same over what the test may take of the false-alarm rate: at 1 and below it is an alarm. */
  risk: z.number(),
})
export type Finding = z.output<typeof findingSchema>

/**
 * How many of the last requests are compared with the reference, and after how many more they are compared again. A
 * short window sees a strong drift early, a long one sees a weak one at all.
 */
export const windows = [
  { length: 50, every: 10 },
  { length: 200, every: 50 },
  { length: 800, every: 200 },
] as const
export const windowLengths = windows.map(({ length }) => length)

/**
 * What one look of one test may take: looks overlap, and tests depend on each other, so what they may take is simply
 * added up (Boole's inequality), and the rate holds whatever they have in common.
 * @param falseAlarms expected number of false alarms in 1,000 requests
 * @param every requests from look to look
 * @param parts looks of different windows that share the test's part
 */
export const shareOfLook = (falseAlarms: number, every: number, parts: number = windows.length) =>
  (falseAlarms * every) / 1000 / testNames.length / parts

/** What is found now; nothing where no window is due. */
export function lookAt(reference: Reference, window: SlidingWindow, falseAlarms: number): Finding[] {
  return windows
    .filter(({ length, every }) => window.seen >= length && window.seen % every === 0)
    .flatMap(({ length, every }) => compare(reference, window, length, shareOfLook(falseAlarms, every)))
}

function compare(reference: Reference, window: SlidingWindow, length: number, share: number): Finding[] {
  const [own = 0, ...features] = reference.series.map((ranked, at) =>
    distanceFrom(ranked, window.counts(length, at), length),
  )
  const classes = Array.from(window.counts(length, reference.series.length))
  const widest = Math.max(0, ...features)
  const probabilityOf = (distance: number) => distanceProbability(distance, length, reference.size)
  const finding = (test: TestName, statistic: number, probability: number): Finding => ({
    test,
    window: length,
    statistic,
    probability,
    risk: probability / share,
  })
  const found = [
    finding('top-probability', own, probabilityOf(own)),
    finding(
      'predicted-classes',
      stabilityIndex(classes, reference.classCounts),
      classProbability(classes, reference.classCounts),
    ),
  ]
  if (features.length > 0) {
    found.push(finding('features', widest, Math.min(1, probabilityOf(widest) * features.length)))
  }
  return found
}
