/** What a version's requests look like while all is well: made from the first ones that it answers. Pure. */
import { z } from 'zod'
import { mostClasses } from './class-shift.ts'
import { sketchFeatures, standardizedDistance } from './feature-sketch.ts'
import type { Observation } from './observation.ts'
import { placeOf, rankReference } from './ranked-reference.ts'

const rankedSchema = z.object({
  values: z.array(z.number()),
  counts: z.array(z.int()),
  size: z.int(),
})

export const referenceSchema = z.object({
  /** Of the first fifth; the rest is measured by it, as later requests are: none is compared with itself. */
  sketch: z.object({ mean: z.array(z.number()), deviation: z.array(z.number()) }).optional(),
  /** Of the top probability, the features' distance, and each feature. */
  series: z.array(rankedSchema),
  /** Classes that are counted by themselves, by their place among the labels. */
  classes: z.array(z.int()),
  /** Requests of each of these, and last those of all others. */
  classCounts: z.array(z.int()),
  size: z.int(),
})
export type Reference = z.output<typeof referenceSchema>

/** Part of the first requests that the sketch is made from. */
const sketchShare = 0.2

export function buildReference(first: readonly Observation[]): Reference {
  const length = first[0]?.features?.length ?? 0
  const complete = length > 0 && first.every(({ features }) => features?.length === length)
  const forSketch = Math.ceil(first.length * sketchShare)
  const vectors = first.slice(0, forSketch).flatMap(({ features }) => (features ? [features] : []))
  const sketch = complete ? sketchFeatures(vectors) : undefined
  const rest = first.slice(forSketch)
  const rows = rest.map(observation => numbersOf(sketch, observation))
  const series = (rows[0] ?? []).map((_, at) => rankReference(rows.map(row => row[at] ?? 0)))
  const counts = new Map<number, number>()
  for (const { predicted } of rest) counts.set(predicted, (counts.get(predicted) ?? 0) + 1)
  const classes = [...counts.keys()]
    .sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0) || a - b)
    .slice(0, mostClasses - 1)
  const classCounts = classes.map(predicted => counts.get(predicted) ?? 0)
  const others = rest.length - classCounts.reduce((sum, count) => sum + count, 0)
  return {
    ...(sketch === undefined ? {} : { sketch }),
    series,
    classes,
    classCounts: [...classCounts, others],
    size: rest.length,
  }
}

/** A number for each series. float32 as features are, so that equal ones are equal. */
function numbersOf(sketch: Reference['sketch'], { probability, features }: Observation): number[] {
  if (sketch === undefined) return [probability]
  return [probability, standardizedDistance(sketch, features ?? []), ...(features ?? [])]
}

/** A request by its places in the reference: one for each series, and last that of its class. */
export function placesOf(reference: Reference, observation: Observation): number[] {
  const numbers = numbersOf(reference.sketch, observation)
  const places = reference.series.map((ranked, at) => placeOf(ranked, numbers[at] ?? 0))
  const known = reference.classes.indexOf(observation.predicted)
  return [...places, known === -1 ? reference.classes.length : known]
}
