/** One version of one model, watched: first its reference is gathered, then every request is held against it. */
import { z } from 'zod'
import {
  accuracyNow,
  type LabelledState,
  labelledStateSchema,
  lookAtAccuracy,
  noLabels,
  withAnswer,
} from './labelled-accuracy.ts'
import { type DriftLevel, levelStateSchema, nextLevel, stable } from './level.ts'
import { type Finding, findingSchema, lookAt, windowLengths } from './look.ts'
import type { Observation } from './observation.ts'
import { buildReference, placesOf, type Reference, referenceSchema } from './reference.ts'
import { createSlidingWindow, type SlidingWindow } from './sliding-window.ts'
import type { Share } from './wilson.ts'

export interface DetectorOptions {
  /** Requests that the reference is made from. */
  reference: number
  /** Expected number of false alarms in 1,000 requests. */
  falseAlarms: number
}

const observationSchema = z.object({
  predicted: z.int(),
  probability: z.number(),
  features: z.array(z.number()).optional(),
})

/** Everything that a detector knows, as it is kept. */
export const detectorStateSchema = z.object({
  /** Requests of a reference that is not complete. */
  first: z.array(observationSchema),
  /** Pictures that the reference was made from; left out: it comes from requests. */
  pictures: z.int().optional(),
  reference: referenceSchema.optional(),
  rows: z.array(z.array(z.int())),
  seen: z.int(),
  labelled: labelledStateSchema,
  level: levelStateSchema,
  /** Of the last look of each test. */
  findings: z.array(findingSchema).default([]),
})
export type DetectorState = z.output<typeof detectorStateSchema>

export interface DetectorView {
  level: DriftLevel
  /** Requests, or pictures, of the reference so far, of how many. */
  reference: { requests: number; of: number; from: 'requests' | 'pictures' }
  /** Requests that were held against it. */
  requests: number
  /** Of the last look, those that weigh most first. */
  findings: Finding[]
  accuracy: Share | null
}

export interface Detector {
  /** Answers the level after it, which changes only with a look. */
  observe(observation: Observation): DriftLevel
  /** The truth about an earlier request became known. */
  label(right: boolean): DriftLevel
  view(): DetectorView
  state(): DetectorState
}

/** As it is before the first request, with a reference that was made from pictures. `labelled`: what is known of answers. */
export function startWith(
  observations: readonly Observation[],
  labelled: LabelledState = noLabels,
): DetectorState {
  const reference = buildReference(observations)
  const pictures = observations.length
  return { first: [], reference, pictures, rows: [], seen: 0, labelled, level: stable, findings: [] }
}

export function createDetector(options: DetectorOptions, kept?: DetectorState): Detector {
  const { falseAlarms } = options
  let first: Observation[] = [...(kept?.first ?? [])]
  let reference: Reference | undefined = kept?.reference
  let window: SlidingWindow | undefined = reference && createSlidingWindow(reference, windowLengths, kept)
  let labelled: LabelledState = kept?.labelled ?? noLabels
  let level = kept?.level ?? stable
  let findings: Finding[] = kept?.findings ?? []

  function judge(found: readonly Finding[]): DriftLevel {
    if (found.length === 0) return level.level
    const old = findings.filter(
      one => !found.some(({ test, window }) => test === one.test && window === one.window),
    )
    findings = [...found, ...old].sort((a, b) => a.risk - b.risk)
    // Tests that were not made now still say what they said: a drift that only labels show does not end for want of them.
    level = nextLevel(level, Math.min(...findings.map(({ risk }) => risk)))
    return level.level
  }

  return {
    observe(observation) {
      if (reference === undefined || window === undefined) {
        first.push(observation)
        if (first.length >= options.reference) {
          reference = buildReference(first)
          window = createSlidingWindow(reference, windowLengths)
          first = []
        }
        return level.level
      }
      window.add(placesOf(reference, observation))
      return judge(lookAt(reference, window, falseAlarms))
    },
    label(right) {
      labelled = withAnswer(labelled, right)
      const found = lookAtAccuracy(labelled, falseAlarms)
      return judge(found === undefined ? [] : [found])
    },
    view: () => ({
      level: level.level,
      reference: {
        requests: reference === undefined ? first.length : (kept?.pictures ?? options.reference),
        of: kept?.pictures ?? options.reference,
        from: kept?.pictures === undefined ? 'requests' : 'pictures',
      },
      requests: window?.seen ?? 0,
      findings: [...findings],
      accuracy: accuracyNow(labelled) ?? null,
    }),
    state: () => ({
      first: first.map(({ features, ...rest }) => ({
        ...rest,
        ...(features === undefined ? {} : { features: [...features] }),
      })),
      ...(reference === undefined ? {} : { reference }),
      ...(kept?.pictures === undefined ? {} : { pictures: kept.pictures }),
      rows: window?.rows() ?? [],
      seen: window?.seen ?? 0,
      labelled,
      level,
      findings,
    }),
  }
}
