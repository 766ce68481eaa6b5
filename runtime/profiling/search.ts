/**
 * The search, as pure decisions: which point to measure next, and which point to run at. An ascending search:
 * concurrency climbs until a bound breaks or more of it brings nothing.
 */
import type { MeasuredPoint } from './profile.ts'

export interface SearchBounds {
  /** p95 may grow to this multiple of the p95 of one inference alone. */
  latencyRatio: number
  memoryBudgetBytes: number
  maxThreads: number
}

export interface SearchPoint {
  threads: number
  training: boolean
}

/** Growth of throughput below which one more thread is not worth its memory. */
const worthwhileGrowth = 1.03
/** Points without growth after which a climb ends: one may be noise. */
const patience = 2

/** A point this close over the latency bound is measured again: a disturbed window is not the box. */
const doubtfulExcess = 1.25
const mostMeasurements = 3

/**
 * One point a level, ascending. Of repeats the one with the lowest p95 counts: whatever disturbs a measurement only
 * adds to it.
 */
function climbOf(points: readonly MeasuredPoint[], training: boolean): MeasuredPoint[] {
  const best = new Map<number, MeasuredPoint>()
  for (const point of points.filter(point => point.training === training)) {
    const known = best.get(point.threads)
    if (known === undefined || point.latencyMs.p95 < known.latencyMs.p95) best.set(point.threads, point)
  }
  return [...best.values()].sort((a, b) => a.threads - b.threads)
}

/** Over the latency bound, but by so little, and measured so seldom, that it may be noise. */
function isDoubtful(points: readonly MeasuredPoint[], point: MeasuredPoint, limitMs: number): boolean {
  const { threads, training, latencyMs, failed } = point
  const measured = points.filter(other => other.threads === threads && other.training === training).length
  const { p95 } = latencyMs
  return failed === 0 && p95 > limitMs && p95 <= limitMs * doubtfulExcess && measured < mostMeasurements
}

/** Which bound a point breaks, in words; undefined when it holds both. */
export function brokenBound(
  point: MeasuredPoint,
  reference: MeasuredPoint,
  bounds: SearchBounds,
): string | undefined {
  if (point.failed > 0) return `${point.failed} of ${point.requests} requests failed`
  if (point.peakMemoryBytes > bounds.memoryBudgetBytes) {
    return `peak memory ${mebibytes(point.peakMemoryBytes)} is over the budget of ${mebibytes(bounds.memoryBudgetBytes)}`
  }
  const limitMs = latencyLimitMs(reference, bounds)
  if (point.latencyMs.p95 > limitMs) {
    return `p95 ${point.latencyMs.p95.toFixed(1)} ms is over ${limitMs.toFixed(1)} ms (${bounds.latencyRatio} x one inference alone)`
  }
  return undefined
}

const latencyLimitMs = (reference: MeasuredPoint, { latencyRatio }: SearchBounds) =>
  reference.latencyMs.p95 * latencyRatio

const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`

/** The point to measure next; undefined when the search is over. Alone first, then beside training. */
export function nextPoint(
  points: readonly MeasuredPoint[],
  bounds: SearchBounds,
  trainable: boolean,
): SearchPoint | undefined {
  for (const training of trainable ? [false, true] : [false]) {
    const climb = climbOf(points, training)
    const reference = climbOf(points, false)[0]
    if (reference === undefined || climb.length === 0) return { threads: 1, training }
    const last = climb[climb.length - 1] ?? reference
    if (isDoubtful(points, last, latencyLimitMs(reference, bounds)))
      return { threads: last.threads, training }
    const over = brokenBound(last, reference, bounds) !== undefined
    if (!over && !hasStalled(climb) && last.threads < bounds.maxThreads) {
      return { threads: last.threads + 1, training }
    }
  }
  return undefined
}

function hasStalled(climb: readonly MeasuredPoint[]): boolean {
  if (climb.length <= patience) return false
  const best = (points: readonly MeasuredPoint[]) => Math.max(...points.map(point => point.throughput))
  return best(climb.slice(-patience)) < best(climb.slice(0, -patience)) * worthwhileGrowth
}

export interface Choice {
  threads: number
  intraOpThreads: number
  reason: string
}

/**
 * The point to run at: the most throughput within the bounds, and of points that are as good, the one with the
 * fewest threads. When even one inference breaks a bound, one it is, and the reason says so.
 */
export function chooseOperatingPoint(
  points: readonly MeasuredPoint[],
  bounds: SearchBounds,
  training: boolean,
): Choice {
  const climb = climbOf(points, training)
  const reference = climbOf(points, false)[0]
  const first = climb[0]
  if (reference === undefined || first === undefined) {
    return { threads: 1, intraOpThreads: 1, reason: 'nothing was measured' }
  }
  const holding = climb.filter(point => brokenBound(point, reference, bounds) === undefined)
  const most = Math.max(...holding.map(point => point.throughput))
  const chosen = holding.find(point => point.throughput * worthwhileGrowth >= most)
  if (chosen === undefined) {
    const { threads, intraOpThreads } = first
    return {
      threads,
      intraOpThreads,
      reason: `the least there is, although ${brokenBound(first, reference, bounds)}`,
    }
  }
  const next = climb.find(point => point.threads > chosen.threads)
  const broken = next === undefined ? undefined : brokenBound(next, reference, bounds)
  const reason =
    next === undefined
      ? `the most that was tried (${bounds.maxThreads} threads)`
      : broken === undefined
        ? `more threads bring less than ${Math.round((worthwhileGrowth - 1) * 100)} % more throughput`
        : `at ${next.threads}, ${broken}`
  return { threads: chosen.threads, intraOpThreads: chosen.intraOpThreads, reason }
}

/** The largest measured concurrency that holds the bounds; 0 when none does. */
export function largestWithinBounds(
  points: readonly MeasuredPoint[],
  bounds: SearchBounds,
  training: boolean,
): number {
  const reference = climbOf(points, false)[0]
  if (reference === undefined) return 0
  const holding = climbOf(points, training).filter(
    point => brokenBound(point, reference, bounds) === undefined,
  )
  return holding[holding.length - 1]?.threads ?? 0
}
