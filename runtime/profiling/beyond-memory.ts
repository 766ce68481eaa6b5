/** The points that memory sets as a limit to a profile: the least that it would not hold, and were not tried. Pure. */
import type { Measured } from './bounds.ts'
import { predictedMisfit } from './predict-memory.ts'
import type { Bounds } from './profile.ts'
import { gridOf, isSame, type SearchPoint, type SearchSpace } from './space.ts'

export interface BeyondMemory {
  point: SearchPoint
  /** What it would take, in words. */
  why: string
}

/** Of points that were not tried, those with none below them that would not fit either, or that did not when tried. */
export function beyondMemory(
  measured: Measured,
  space: SearchSpace,
  bounds: Bounds,
  intraOpThreads?: number,
): BeyondMemory[] {
  const tooLarge: SearchPoint[] = measured.points.filter(({ fits, rate }) => !fits && rate === null)
  const found: BeyondMemory[] = []
  for (const point of gridOf(space, intraOpThreads).sort((a, b) => sizeOf(a) - sizeOf(b))) {
    if (tooLarge.some(other => isBelow(other, point))) continue
    if (measured.points.some(other => isSame(other, point))) continue
    const why = predictedMisfit(point, measured, bounds)
    if (why === undefined) continue
    tooLarge.push(point)
    found.push({ point, why })
  }
  return found
}

const demands = ({ threads, batch, intraOpThreads, trainerThreads, microBatch }: SearchPoint): number[] => [
  threads,
  batch,
  intraOpThreads,
  trainerThreads ?? 0,
  microBatch ?? 0,
]

/** In every demand on memory no more than the other; what a point alone does not fit into, it does not fit into beside training. */
const isBelow = (a: SearchPoint, b: SearchPoint): boolean => {
  const others = demands(b)
  return demands(a).every((value, place) => value <= (others[place] ?? 0))
}

/** An order in which a point comes after all that are below it. */
const sizeOf = (point: SearchPoint): number => demands(point).reduce((sum, value) => sum + value, 0)
