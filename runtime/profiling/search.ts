/**
 * The search, as pure decisions: which point to measure next, and which point to run at. An ascending search:
 * concurrency climbs until a bound breaks or more of it brings nothing, and then the batch does.
 */
import type { MeasuredPoint } from './profile.ts'

/** What a point must hold to be run at. */
export interface PointBounds {
  /** p95 may grow to this multiple of the p95 of one inference alone. */
  latencyRatio: number
  memoryBudgetBytes: number
}

export interface SearchBounds extends PointBounds {
  maxThreads: number
  /** The most requests to try as one batch. */
  maxBatch: number
}

export interface SearchPoint {
  threads: number
  /** Requests that go to a thread together. */
  batch: number
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
 * One point a number of threads without batches, ascending. Of repeats the one with the lowest p95 counts: whatever
 * disturbs a measurement only adds to it.
 */
const climbOf = (points: readonly MeasuredPoint[], training: boolean): MeasuredPoint[] =>
  bestBy(
    points.filter(point => point.training === training && point.batch === 1),
    'threads',
  )

/** One point a batch at that number of threads, ascending, the one without batches first. */
const batchesOf = (
  points: readonly MeasuredPoint[],
  { threads, training }: Pick<SearchPoint, 'threads' | 'training'>,
): MeasuredPoint[] =>
  bestBy(
    points.filter(point => point.training === training && point.threads === threads),
    'batch',
  )

function bestBy(points: readonly MeasuredPoint[], level: 'threads' | 'batch'): MeasuredPoint[] {
  const best = new Map<number, MeasuredPoint>()
  for (const point of points) {
    const known = best.get(point[level])
    if (known === undefined || point.latencyMs.p95 < known.latencyMs.p95) best.set(point[level], point)
  }
  return [...best.values()].sort((a, b) => a[level] - b[level])
}

/** Over the latency bound, but by so little, and measured so seldom, that it may be noise. */
function isDoubtful(points: readonly MeasuredPoint[], point: MeasuredPoint, limitMs: number): boolean {
  const { latencyMs, failed } = point
  const measured = points.filter(other => isSame(other, point)).length
  const { p95 } = latencyMs
  return failed === 0 && p95 > limitMs && p95 <= limitMs * doubtfulExcess && measured < mostMeasurements
}

const isSame = (a: SearchPoint, b: SearchPoint): boolean =>
  a.threads === b.threads && a.batch === b.batch && a.training === b.training

/** Which bound a point breaks, in words; undefined when it holds both. */
export function brokenBound(
  point: MeasuredPoint,
  reference: MeasuredPoint,
  bounds: PointBounds,
): string | undefined {
  if (!point.fits) return 'memory ran out'
  if (point.failed > 0) return `${point.failed} of ${point.requests} requests failed`
  if (point.peakMemoryBytes > bounds.memoryBudgetBytes) {
    return `peak memory ${mebibytes(point.peakMemoryBytes)} is over the budget of ${mebibytes(bounds.memoryBudgetBytes)}`
  }
  const limitMs = limitOf(reference, bounds)
  if (point.latencyMs.p95 > limitMs) {
    return `p95 ${point.latencyMs.p95.toFixed(1)} ms is over ${limitMs.toFixed(1)} ms (${bounds.latencyRatio} x one inference alone)`
  }
  return undefined
}

const limitOf = (reference: MeasuredPoint, { latencyRatio }: Pick<PointBounds, 'latencyRatio'>) =>
  reference.latencyMs.p95 * latencyRatio

/** What p95 may be, in ms: the bound's multiple of one inference alone. Undefined when that was not measured. */
export function latencyLimitMs(
  points: readonly MeasuredPoint[],
  bounds: Pick<PointBounds, 'latencyRatio'>,
): number | undefined {
  const reference = climbOf(points, false)[0]
  return reference?.fits ? limitOf(reference, bounds) : undefined
}

const mebibytes = (bytes: number) => `${Math.round(bytes / 2 ** 20)} MiB`

/**
 * The point to measure next; undefined when the search is over. Alone first, then beside training; threads first, then
 * batches at the number of threads that was chosen.
 */
export function nextPoint(
  points: readonly MeasuredPoint[],
  bounds: SearchBounds,
  trainable: boolean,
): SearchPoint | undefined {
  for (const training of trainable ? [false, true] : [false]) {
    const climb = climbOf(points, training)
    const reference = climbOf(points, false)[0]
    const last = climb.at(-1)
    if (reference === undefined || last === undefined) return { threads: 1, batch: 1, training }
    if (isDoubtful(points, last, limitOf(reference, bounds))) return pointOf(last)
    if (
      holds(last, reference, bounds) &&
      !hasStalled(climb) &&
      last.threads < bounds.maxThreads &&
      predictedOver(climb, 'threads', last.threads + 1, bounds) === undefined
    ) {
      return { threads: last.threads + 1, batch: 1, training }
    }
    const batch = nextBatch(points, reference, bounds, training)
    if (batch !== undefined) return batch
  }
  return undefined
}

/** Batches double as long as each brings more throughput within the bounds. */
function nextBatch(
  points: readonly MeasuredPoint[],
  reference: MeasuredPoint,
  bounds: SearchBounds,
  training: boolean,
): SearchPoint | undefined {
  const { threads } = chooseThreads(points, reference, bounds, training)
  const climb = batchesOf(points, { threads, training })
  const [last, before] = [climb.at(-1), climb.at(-2)]
  if (last === undefined) return undefined
  if (isDoubtful(points, last, limitOf(reference, bounds))) return pointOf(last)
  const grows = before === undefined || last.throughput >= before.throughput * worthwhileGrowth
  if (!grows || last.batch * 2 > bounds.maxBatch || !holds(last, reference, bounds)) return undefined
  if (predictedOver(climb, 'batch', last.batch * 2, bounds) !== undefined) return undefined
  return { threads, batch: last.batch * 2, training }
}

/**
 * What a level would take of memory, when that is over the budget: it is then not tried. From the points below, on the
 * line through the last two. With fewer there is no line: the first step up is taken.
 */
function predictedOver(
  climb: readonly MeasuredPoint[],
  level: 'threads' | 'batch',
  next: number,
  { memoryBudgetBytes }: PointBounds,
): number | undefined {
  const [last, before] = [climb.at(-1), climb.at(-2)]
  if (last === undefined || before === undefined) return undefined
  const slope = (last.peakMemoryBytes - before.peakMemoryBytes) / (last[level] - before[level])
  const predicted = last.peakMemoryBytes + Math.max(0, slope) * (next - last[level])
  return predicted > memoryBudgetBytes ? predicted : undefined
}

const holds = (point: MeasuredPoint, reference: MeasuredPoint, bounds: PointBounds): boolean =>
  brokenBound(point, reference, bounds) === undefined

const pointOf = ({ threads, batch, training }: MeasuredPoint): SearchPoint => ({ threads, batch, training })

function hasStalled(climb: readonly MeasuredPoint[]): boolean {
  if (climb.length <= patience) return false
  const best = (points: readonly MeasuredPoint[]) => Math.max(...points.map(point => point.throughput))
  return best(climb.slice(-patience)) < best(climb.slice(0, -patience)) * worthwhileGrowth
}

export interface Choice {
  threads: number
  batch: number
  intraOpThreads: number
  reason: string
}

/**
 * The point to run at: the most throughput within the bounds, and of points that are as good, the one with the
 * fewest threads and the smallest batch. When even one inference breaks a bound, one it is, and the reason says so.
 */
export function chooseOperatingPoint(
  points: readonly MeasuredPoint[],
  bounds: SearchBounds,
  training: boolean,
): Choice {
  const reference = climbOf(points, false)[0]
  if (reference === undefined || climbOf(points, training).length === 0) {
    return { threads: 1, batch: 1, intraOpThreads: 1, reason: 'nothing was measured' }
  }
  const chosen = chooseThreads(points, reference, bounds, training)
  const climb = batchesOf(points, { threads: chosen.threads, training })
  const [single, ...larger] = climb
  let batch = 1
  let best = single?.throughput ?? 0
  for (const point of larger) {
    if (point.throughput < best * worthwhileGrowth || !holds(point, reference, bounds)) break
    batch = point.batch
    best = point.throughput
  }
  return {
    ...chosen,
    batch,
    reason: [chosen.reason, ...whyBatch(climb, batch, reference, bounds)].join('; '),
  }
}

function whyBatch(
  climb: readonly MeasuredPoint[],
  batch: number,
  reference: MeasuredPoint,
  bounds: SearchBounds,
): string[] {
  const next = climb.find(point => point.batch > batch)
  if (next === undefined) return climb.length > 1 ? [`batches up to ${batch}, the most that was tried`] : []
  const why = brokenBound(next, reference, bounds) ?? `it brings less than ${growthPercent} % more throughput`
  return [`${batch === 1 ? 'no batches' : `batches up to ${batch}`}: with ${next.batch}, ${why}`]
}

const growthPercent = Math.round((worthwhileGrowth - 1) * 100)

function chooseThreads(
  points: readonly MeasuredPoint[],
  reference: MeasuredPoint,
  bounds: SearchBounds,
  training: boolean,
): Omit<Choice, 'batch'> {
  const climb = climbOf(points, training)
  const holding = climb.filter(point => holds(point, reference, bounds))
  const most = Math.max(...holding.map(point => point.throughput))
  const chosen = holding.find(point => point.throughput * worthwhileGrowth >= most)
  if (chosen === undefined) {
    const { threads, intraOpThreads } = climb[0] ?? reference
    const broken = brokenBound(climb[0] ?? reference, reference, bounds)
    return { threads, intraOpThreads, reason: `the least there is, although ${broken}` }
  }
  const next = climb.find(point => point.threads > chosen.threads)
  const broken = next === undefined ? undefined : brokenBound(next, reference, bounds)
  const last = climb.at(-1) ?? chosen
  const memory = predictedOver(climb, 'threads', last.threads + 1, bounds)
  const reason =
    next === undefined
      ? memory !== undefined && last.threads < bounds.maxThreads
        ? `${last.threads + 1} would take ${mebibytes(memory)}, over the budget of ${mebibytes(bounds.memoryBudgetBytes)}`
        : `the most that was tried (${last.threads} threads)`
      : broken === undefined
        ? `more threads bring less than ${growthPercent} % more throughput`
        : `at ${next.threads}, ${broken}`
  return { threads: chosen.threads, intraOpThreads: chosen.intraOpThreads, reason }
}

/** The largest measured concurrency that holds the bounds; 0 when none does. */
export function largestWithinBounds(
  points: readonly MeasuredPoint[],
  bounds: PointBounds,
  training: boolean,
): number {
  const reference = climbOf(points, false)[0]
  if (reference === undefined) return 0
  const holding = climbOf(points, training).filter(point => holds(point, reference, bounds))
  return holding[holding.length - 1]?.threads ?? 0
}
