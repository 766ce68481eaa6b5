/** What a point would take of memory, from the points below it: so that one that would not fit is never tried. Pure. */
import { type Measured, mebibytes } from './bounds.ts'
import type { Bounds, MeasuredPoint } from './profile.ts'
import { isSame, keyOf, type SearchPoint } from './space.ts'

type Of = (source: { peakMemoryBytes: number; deviceMemoryBytes: number | null }) => number | null

const host: Of = ({ peakMemoryBytes }) => peakMemoryBytes
const device: Of = ({ deviceMemoryBytes }) => deviceMemoryBytes

/** Why memory would not hold the point, in words; undefined when it would, or when nothing below it is known. */
export function predictedMisfit(
  point: SearchPoint,
  measured: Measured,
  bounds: Pick<Bounds, 'memoryBudgetBytes' | 'deviceBudgetBytes'>,
): string | undefined {
  const onHost = predict(point, measured, host)
  if (onHost !== undefined && onHost > bounds.memoryBudgetBytes) {
    return `it would take ${mebibytes(onHost)}, over the budget of ${mebibytes(bounds.memoryBudgetBytes)}`
  }
  const { deviceBudgetBytes } = bounds
  if (deviceBudgetBytes === null) return undefined
  const onDevice = predict(point, measured, device)
  if (onDevice !== undefined && onDevice > deviceBudgetBytes) {
    return `it would take ${mebibytes(onDevice)} of the device's memory, over the ${mebibytes(deviceBudgetBytes)} that are free for it`
  }
  return undefined
}

/** The same, and that memory did not hold less when it was tried. */
export function memoryObjection(
  point: SearchPoint,
  measured: Measured,
  bounds: Pick<Bounds, 'memoryBudgetBytes' | 'deviceBudgetBytes'>,
): string | undefined {
  const less = measured.points.find(
    other =>
      !other.fits &&
      isBelow(other, point) &&
      (other.microBatch ?? 0) <= (point.microBatch ?? 0) &&
      !isSame(other, point),
  )
  if (less === undefined) return predictedMisfit(point, measured, bounds)
  return `memory ran out with ${less.threads} at once in batches of ${less.batch}${less.training ? ', beside training' : ''}`
}

/**
 * From the nearest point below, a line along each axis in which they differ: through the two highest points that differ
 * in that axis alone. Where there is no such line yet, the first step up is taken. Each thread holds the rows of its
 * own batch, so a line counts for more where there are more threads, or larger batches, than where it was measured.
 * Beside training the trainer's own memory is added to a point alone.
 */
function predict(point: SearchPoint, { points, trainingAlone }: Measured, of: Of): number | undefined {
  const known = points.filter(({ fits, rate }) => fits && rate === null)
  const like = known.filter(other => isBelow(other, point) && isSameTrainer(other, point))
  const base = nearest(like, point)
  if (base === undefined) {
    if (!point.training || trainingAlone === null) return undefined
    const { trainerThreads, microBatch, training } = {
      trainerThreads: null,
      microBatch: null,
      training: false,
    }
    const alone = predict({ ...point, trainerThreads, microBatch, training }, { points, trainingAlone }, of)
    const trainer = of(trainingAlone)
    return alone === undefined || trainer === null ? undefined : alone + trainer
  }
  const least = of(base)
  if (least === null) return undefined
  const [threads, rows, intraOp] = (['threads', 'batch', 'intraOpThreads'] as const).map(axis =>
    slopesOf(known, point, axis, of),
  ) as [Slope[], Slope[], Slope[]] // as many as there are axes
  const row = most(rows.map(({ bytes, at }) => bytes / at.threads))
  const thread = most(threads.map(({ bytes, at }) => bytes + row * Math.max(0, point.batch - at.batch)))
  return (
    least +
    thread * (point.threads - base.threads) +
    row * base.threads * (point.batch - base.batch) +
    most(intraOp.map(({ bytes }) => bytes)) * (point.intraOpThreads - base.intraOpThreads)
  )
}

/** Never less than nothing. */
const most = (values: readonly number[]): number => Math.max(0, ...values)

const isBelow = (a: SearchPoint, b: SearchPoint): boolean =>
  a.threads <= b.threads && a.batch <= b.batch && a.intraOpThreads <= b.intraOpThreads

/** A trainer that takes fewer pictures at once takes less: one that takes more is on the safe side. */
const isSameTrainer = (a: SearchPoint, b: SearchPoint): boolean =>
  a.training === b.training && (a.microBatch ?? 0) >= (b.microBatch ?? 0)

function nearest(points: readonly MeasuredPoint[], { threads, batch }: SearchPoint) {
  const distance = (point: MeasuredPoint) =>
    Math.log2(threads / point.threads) + Math.log2(batch / point.batch)
  return points.reduce<MeasuredPoint | undefined>(
    (best, point) => (best === undefined || distance(point) <= distance(best) ? point : best),
    undefined,
  )
}

interface Slope {
  /** For each more of the axis. */
  bytes: number
  /** Where it was measured. */
  at: MeasuredPoint
}

/** Of each line along the axis that is known up to the point, at its upper end. */
function slopesOf(
  known: readonly MeasuredPoint[],
  point: SearchPoint,
  axis: 'threads' | 'batch' | 'intraOpThreads',
  of: Of,
): Slope[] {
  const lines = new Map<string, MeasuredPoint[]>()
  for (const other of known.filter(other => other[axis] <= point[axis])) {
    const line = keyOf({ ...other, [axis]: 0 })
    lines.set(line, [...(lines.get(line) ?? []), other])
  }
  return [...lines.values()].flatMap(line => {
    const [last, before] = [...line]
      .sort((a, b) => b[axis] - a[axis])
      .filter((other, index, all) => index === 0 || other[axis] !== all[index - 1]?.[axis])
    const [high, low] = [last && of(last), before && of(before)]
    if (!last || !before || typeof high !== 'number' || typeof low !== 'number') return []
    return [{ bytes: (high - low) / (last[axis] - before[axis]), at: last }]
  })
}
