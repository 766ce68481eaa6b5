/** The points of the report's curves that a search has not asked for: concurrency from one up, at what was chosen. Pure. */
import { type Measured, summariesOf } from './bounds.ts'
import type { Goal } from './objective.ts'
import { memoryObjection } from './predict-memory.ts'
import type { MeasuredPoint } from './profile.ts'
import { isSame, pointOf, type SearchPoint, type SearchSpace } from './space.ts'

/** 1, 2, 4, ..., what was chosen, and the most there is. */
function levelsOf(space: SearchSpace, chosen: number): number[] {
  const most = space.threads.at(-1) ?? 1
  return space.threads.filter(
    threads => Number.isInteger(Math.log2(threads)) || threads === chosen || threads === most,
  )
}

/** One inference a thread, without batches, otherwise as `chosen`. */
export const curvePoints = (space: SearchSpace, chosen: SearchPoint): SearchPoint[] =>
  levelsOf(space, chosen.threads).map(threads => ({ ...pointOf(chosen), threads, batch: 1 }))

/** The next one to measure; undefined when the curve is whole, or memory ends it. */
export function nextCurvePoint(
  measured: Measured,
  space: SearchSpace,
  chosen: SearchPoint,
  { bounds }: Goal,
): SearchPoint | undefined {
  for (const point of curvePoints(space, chosen)) {
    const known = measured.points.find(other => other.rate === null && isSame(other, point))
    if (known?.fits === false) return undefined
    if (known === undefined) {
      return memoryObjection(point, measured, bounds) === undefined ? point : undefined
    }
  }
  return undefined
}

/** What was measured of the curve through `chosen`, by ascending concurrency. */
export function curveOf(
  measured: Measured,
  chosen: SearchPoint,
  { bounds }: Pick<Goal, 'bounds'>,
): MeasuredPoint[] {
  return summariesOf(measured.points, bounds)
    .filter(point => point.fits && isSame(point, { ...pointOf(chosen), threads: point.threads, batch: 1 }))
    .sort((a, b) => a.threads - b.threads)
}
