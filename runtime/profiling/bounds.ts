/** What a measured point must hold to be run at: latency, memory of host and device, and what it costs training. Pure. */
import type { Bounds, MeasuredPoint, TrainingAlone } from './profile.ts'
import { isSame, keyOf, type SearchPoint } from './space.ts'

/** What is known of a box, in the order in which it was measured. */
export interface Measured {
  points: readonly MeasuredPoint[]
  trainingAlone: TrainingAlone | null
}

const oneInference: SearchPoint = {
  threads: 1,
  intraOpThreads: 1,
  batch: 1,
  training: false,
  trainerThreads: null,
  microBatch: null,
}

/**
 * What counts of the measurements of one point: the one with the lowest percentile, since whatever disturbs a
 * measurement only adds to it. One that memory did not hold outweighs all others.
 */
export function summaryOf(
  measurements: readonly MeasuredPoint[],
  { percentile }: Pick<Bounds, 'percentile'>,
): MeasuredPoint | undefined {
  return measurements.reduce<MeasuredPoint | undefined>((best, point) => {
    if (best === undefined || !point.fits) return point
    return best.fits && point.latencyMs[percentile] < best.latencyMs[percentile] ? point : best
  }, undefined)
}

/** One summary a point, in a closed loop, in the order of their first measurements. */
export function summariesOf(
  points: readonly MeasuredPoint[],
  bounds: Pick<Bounds, 'percentile'>,
): MeasuredPoint[] {
  const measurements = byPoint(points.filter(({ rate }) => rate === null))
  return [...measurements.values()].flatMap(known => summaryOf(known, bounds) ?? [])
}

/** Measurements by the keys of their points. */
function byPoint(points: readonly MeasuredPoint[]): Map<string, MeasuredPoint[]> {
  const measurements = new Map<string, MeasuredPoint[]>()
  for (const point of points) {
    const known = measurements.get(keyOf(point))
    if (known === undefined) measurements.set(keyOf(point), [point])
    else known.push(point)
  }
  return measurements
}

/** What the percentile may be, in ms. Undefined where it is a multiple of what was not measured. */
export function latencyLimitMs(
  points: readonly MeasuredPoint[],
  bounds: Pick<Bounds, 'latency' | 'percentile'>,
): number | undefined {
  if ('ms' in bounds.latency) return bounds.latency.ms
  const measurements = points.filter(point => point.rate === null && isSame(point, oneInference))
  const reference = summaryOf(measurements, bounds)
  return reference?.fits ? reference.latencyMs[bounds.percentile] * bounds.latency.ratio : undefined
}

/** How much longer an epoch takes than alone; null alone, infinite when no step was made. */
export function epochStretch(
  point: Pick<MeasuredPoint, 'training' | 'trainingStepsPerSecond'>,
  trainingAlone: Pick<TrainingAlone, 'stepsPerSecond'> | null,
): number | null {
  if (!point.training || trainingAlone === null || point.trainingStepsPerSecond === null) return null
  return point.trainingStepsPerSecond === 0
    ? Number.POSITIVE_INFINITY
    : trainingAlone.stepsPerSecond / point.trainingStepsPerSecond
}

/** What points are held against: the bounds, and what was measured alone. Made once for all points. */
export interface Yardstick {
  bounds: Bounds
  limitMs: number | undefined
  trainingAlone: TrainingAlone | null
  /** What was measured beside the expected load, by the keys of the points. */
  atLoad: ReadonlyMap<string, readonly MeasuredPoint[]>
}

export const yardstickOf = ({ points, trainingAlone }: Measured, bounds: Bounds): Yardstick => ({
  bounds,
  limitMs: latencyLimitMs(points, bounds),
  trainingAlone,
  atLoad: byPoint(points.filter(({ rate }) => rate !== null)),
})

/** The point beside the expected load; undefined where that was not measured. */
export const foundAtLoad = (
  point: SearchPoint,
  { atLoad, bounds }: Pick<Yardstick, 'atLoad' | 'bounds'>,
): MeasuredPoint | undefined => summaryOf(atLoad.get(keyOf(point)) ?? [], bounds)

export interface Demand {
  /** What the point takes over what it may: it holds the bound up to 1. */
  share: number
  /** `wait`: for a thread, beside the expected load. */
  what: 'memory' | 'device' | 'latency' | 'wait' | 'stretch'
  text: () => string
}

/** Against each bound. Nothing of a point without figures. */
export function demandsOf(point: MeasuredPoint, yardstick: Yardstick): Demand[] {
  const { bounds, limitMs, trainingAlone } = yardstick
  const demands: Demand[] = [
    {
      what: 'memory',
      share: point.peakMemoryBytes / bounds.memoryBudgetBytes,
      text: () =>
        `peak memory ${mebibytes(point.peakMemoryBytes)} is over the budget of ${mebibytes(bounds.memoryBudgetBytes)}`,
    },
  ]
  const [onDevice, deviceBudget] = [point.deviceMemoryBytes, bounds.deviceBudgetBytes]
  if (onDevice !== null && deviceBudget !== null) {
    demands.push({
      what: 'device',
      share: onDevice / Math.max(1, deviceBudget),
      text: () =>
        `it takes ${mebibytes(onDevice)} of the device's memory, over the ${mebibytes(deviceBudget)} that are free for it`,
    })
  }
  const { percentile, latency } = bounds
  const multiple = 'ratio' in latency ? ` (${latency.ratio} x one inference alone)` : ''
  const overLimit = (what: string, found: number, limit: number) => ({
    share: found / limit,
    text: () => `${percentile} ${what}${found.toFixed(1)} ms is over ${limit.toFixed(1)} ms${multiple}`,
  })
  if (limitMs !== undefined)
    demands.push({ what: 'latency', ...overLimit('', point.latencyMs[percentile], limitMs) })
  // An epoch is not held beside all that the point can serve: where training yields it then gets its floor alone, at any
  // concurrency. And too few threads for the load show where arrivals do not wait for each other.
  const atLoad = foundAtLoad(point, yardstick)
  if (atLoad === undefined) return demands
  const beside = `beside ${atLoad.rate} requests a second`
  if (limitMs !== undefined) {
    const waiting = `of the wait for a thread ${beside} `
    demands.push({ what: 'wait', ...overLimit(waiting, atLoad.queueMs[percentile], limitMs) })
  }
  const stretch = epochStretch(atLoad, trainingAlone)
  if (stretch !== null) {
    const longer = () =>
      Number.isFinite(stretch)
        ? `an epoch ${beside} takes ${stretch.toFixed(1)} x as long as alone`
        : `training ${beside} makes no step`
    demands.push({
      what: 'stretch',
      share: stretch / bounds.maxEpochStretch,
      text: () => `${longer()}, over ${bounds.maxEpochStretch} x`,
    })
  }
  return demands
}

/** Which bound a point breaks, in words; undefined when it holds all. */
export function brokenBound(point: MeasuredPoint, yardstick: Yardstick): string | undefined {
  if (!point.fits) return 'memory ran out'
  if (point.failed > 0) return `${point.failed} of ${point.requests} requests failed`
  return demandsOf(point, yardstick)
    .find(({ share }) => share > 1)
    ?.text()
}

/** 0 when the point holds its bounds, else by how much it breaks them: infinite when it cannot be run at. */
export function violationOf(point: MeasuredPoint, yardstick: Yardstick): number {
  if (!point.fits || point.failed > 0) return Number.POSITIVE_INFINITY
  return demandsOf(point, yardstick)
    .map(({ share }) => Math.max(0, share - 1))
    .reduce((sum, over) => sum + over, 0)
}

export const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`
