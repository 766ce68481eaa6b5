/** Which of measured points to run at, and why: pure. */
import {
  brokenBound,
  demandsOf,
  epochStretch,
  foundAtLoad,
  type Measured,
  summariesOf,
  violationOf,
  type Yardstick,
  yardstickOf,
} from './bounds.ts'
import { memoryObjection } from './predict-memory.ts'
import type { Bounds, MeasuredPoint, Objective } from './profile.ts'
import { isSame, pointOf, type SearchPoint, type SearchSpace } from './space.ts'

export interface Goal {
  objective: Objective
  bounds: Bounds
}

/** A difference below which one point is as good as the other: it is not worth memory, nor believed. */
const worthwhile = 1.03

/** A smaller trainer trains slower whenever requests leave it room: it must bring requests clearly more. */
const worthLessTraining = 1.05

/** Of two that break their bounds, one must come that much nearer to them to be preferred. */
const clearly = 1.05
const isLess = (over: number, other: number): boolean => (1 + over) * clearly < 1 + other

/** More is better. Alone there is no training, and throughput it is. */
export function objectiveValue(point: MeasuredPoint, { objective, bounds }: Goal): number {
  if (objective === 'latency') return 1 / point.latencyMs[bounds.percentile]
  if (objective === 'training' && point.training) return point.trainingStepsPerSecond ?? 0
  return point.throughput
}

/**
 * What decides between points that are as good. Of training, what it gets beside the expected load: in a closed loop it
 * may get its floor alone, whatever its settings.
 */
function secondValue(point: MeasuredPoint, { objective }: Goal, yardstick: Yardstick): number {
  if (objective !== 'throughput' || !point.training) return point.throughput
  return foundAtLoad(point, yardstick)?.trainingStepsPerSecond ?? 0
}

/** Whether `a` is enough better than `b` to be preferred to it. One that holds the bounds is better than any that does not. */
export function isBetter(a: MeasuredPoint, b: MeasuredPoint, goal: Goal, yardstick: Yardstick): boolean {
  const [over, overB] = [a, b].map(point => violationOf(point, yardstick)) as [number, number]
  if ((over === 0) !== (overB === 0)) return over === 0
  if (isLess(over, overB)) return true
  if (isLess(overB, over)) return false
  const [value, valueB] = [objectiveValue(a, goal), objectiveValue(b, goal)]
  if (goal.objective !== 'training' && !hasSameTrainer(a, b)) return isWorthIts(a, b, value / valueB)
  if (value > valueB * worthwhile) return true
  if (value * worthwhile < valueB) return false
  return secondValue(a, goal, yardstick) > secondValue(b, goal, yardstick) * worthwhile
}

const hasSameTrainer = (a: SearchPoint, b: SearchPoint): boolean =>
  a.trainerThreads === b.trainerThreads && a.microBatch === b.microBatch

const trainerSize = ({ trainerThreads, microBatch }: SearchPoint) => (trainerThreads ?? 0) * (microBatch ?? 0)

/** Whether `a`, with another trainer than `b`, is to be preferred at `ratio` times its value. */
const isWorthIts = (a: SearchPoint, b: SearchPoint, ratio: number): boolean =>
  trainerSize(a) < trainerSize(b) ? ratio > worthLessTraining : ratio * worthLessTraining >= 1

const order = (a: MeasuredPoint, b: MeasuredPoint): number =>
  a.threads - b.threads ||
  a.intraOpThreads - b.intraOpThreads ||
  a.batch - b.batch ||
  (b.microBatch ?? 0) - (a.microBatch ?? 0) ||
  (b.trainerThreads ?? 0) - (a.trainerThreads ?? 0)

/**
 * The best that holds the bounds; of points that are as good, the one with the better second value, and then the least.
 * Beside training the best of each trainer, from the largest down. When none holds the bounds, those that break them
 * least take their place. Undefined when nothing was measured.
 */
export function bestPoint(points: readonly MeasuredPoint[], goal: Goal, yardstick: Yardstick) {
  const over = (point: MeasuredPoint) => violationOf(point, yardstick)
  const least = Math.min(...points.map(over))
  const holding = points.filter(point => (least === 0 ? over(point) === 0 : !isLess(least, over(point))))
  const value = (point: MeasuredPoint) => objectiveValue(point, goal)
  const bestOf = (points: readonly MeasuredPoint[]) =>
    nearBest(nearBest(points, value), point => secondValue(point, goal, yardstick)).sort(order)[0]
  if (goal.objective === 'training') return bestOf(holding)
  const isFirst = (point: MeasuredPoint, place: number) =>
    holding.findIndex(other => hasSameTrainer(other, point)) === place
  return holding
    .filter(isFirst)
    .flatMap(first => bestOf(holding.filter(point => hasSameTrainer(point, first))) ?? [])
    .sort((a, b) => trainerSize(b) - trainerSize(a))
    .reduce<MeasuredPoint | undefined>(
      (best, point) => (best === undefined || value(point) > value(best) * worthLessTraining ? point : best),
      undefined,
    )
}

function nearBest(points: readonly MeasuredPoint[], value: (point: MeasuredPoint) => number) {
  const most = Math.max(...points.map(value))
  return points.filter(point => value(point) * worthwhile >= most)
}

export interface Choice {
  point: SearchPoint
  reason: string
}

/** The point to run at. `intraOpThreads`: beside training a session keeps those that it was opened with. */
export function choosePoint(
  measured: Measured,
  goal: Goal,
  space: SearchSpace,
  training: boolean,
  intraOpThreads?: number,
): Choice | undefined {
  const points = summariesOf(measured.points, goal.bounds).filter(
    point =>
      point.training === training &&
      (intraOpThreads === undefined || point.intraOpThreads === intraOpThreads),
  )
  const yardstick = yardstickOf(measured, goal.bounds)
  const chosen = bestPoint(points, goal, yardstick)
  if (chosen === undefined) return undefined
  const less = { ...pointOf(chosen), ...leastDemand(space, training) }
  const tooMuch = memoryBroken(chosen, yardstick)
  if (tooMuch !== undefined && !isSame(less, chosen)) {
    return { point: less, reason: `the least there is: with ${chosen.threads} at once ${tooMuch}` }
  }
  const reasons = [
    whyThis(chosen, space, goal, yardstick),
    ...whyNotMore(chosen, points, measured, space, yardstick),
  ]
  return { point: pointOf(chosen), reason: reasons.join('; ') }
}

/** Why memory would not hold the point, as it was measured. Near to its bound is not good enough: then less is run at. */
function memoryBroken(point: MeasuredPoint, yardstick: Yardstick): string | undefined {
  if (!point.fits) return 'memory ran out'
  const broken = demandsOf(point, yardstick).filter(({ share }) => share > 1)
  return broken.find(({ what }) => what === 'memory' || what === 'device')?.text()
}

const leastDemand = (space: SearchSpace, training: boolean) => ({
  threads: space.threads[0] ?? 1,
  batch: space.batch[0] ?? 1,
  trainerThreads: training ? (space.trainerThreads[0] ?? null) : null,
  microBatch: training ? (space.microBatch[0] ?? null) : null,
})

const objectiveNames = {
  throughput: 'the most inferences a second',
  latency: 'the lowest latency',
  training: 'the fastest training',
} as const

function whyThis(chosen: MeasuredPoint, space: SearchSpace, goal: Goal, yardstick: Yardstick): string {
  const broken = brokenBound(chosen, yardstick)
  if (broken !== undefined) {
    const what = chosen.threads === space.threads[0] ? 'the least there is' : 'the nearest to its bounds'
    return `${what}, although ${broken}`
  }
  const objective = goal.objective === 'training' && !chosen.training ? 'throughput' : goal.objective
  const atLoad = foundAtLoad(chosen, yardstick)
  const stretch = atLoad === undefined ? null : epochStretch(atLoad, yardstick.trainingAlone)
  const epoch =
    stretch === null
      ? ''
      : `, an epoch beside ${atLoad?.rate} requests a second ${stretch.toFixed(2)} x as long as alone`
  return `${objectiveNames[objective]} within the bounds${epoch}`
}

/** What keeps the next larger value of threads and batch from being chosen, where that is known. */
function whyNotMore(
  chosen: MeasuredPoint,
  points: readonly MeasuredPoint[],
  measured: Measured,
  space: SearchSpace,
  yardstick: Yardstick,
): string[] {
  return (['threads', 'batch'] as const).flatMap(axis => {
    const name = axis === 'threads' ? 'at once' : 'in a batch'
    const more = points
      .filter(point => point[axis] > chosen[axis] && alikeBut(axis, point, chosen))
      .sort((a, b) => a[axis] - b[axis])[0]
    if (more !== undefined) {
      const broken = brokenBound(more, yardstick)
      return [`${more[axis]} ${name}: ${broken ?? 'that is no better'}`]
    }
    const next = space[axis].find(value => value > chosen[axis])
    if (next === undefined) return []
    const misfit = memoryObjection({ ...pointOf(chosen), [axis]: next }, measured, yardstick.bounds)
    return misfit === undefined ? [] : [`${next} ${name}: ${misfit}`]
  })
}

const axes = ['threads', 'intraOpThreads', 'batch', 'trainerThreads', 'microBatch'] as const

const alikeBut = (axis: keyof SearchSpace, a: SearchPoint, b: SearchPoint): boolean =>
  axes.every(other => other === axis || a[other] === b[other])

/** Of what is served alone, the load that is expected where none was asked for. */
const expectedShare = 1 / 4

/** Requests a second of the expected load; undefined while nothing is known. */
export function expectedRate(measured: Measured, goal: Goal, space: SearchSpace): number | undefined {
  const { rate } = goal.bounds
  if (typeof rate === 'number') return rate
  const chosen = choosePoint(measured, goal, space, false)?.point
  const found = summariesOf(measured.points, goal.bounds).find(point => chosen && isSame(point, chosen))
  const expected = Number(((found?.throughput ?? 0) * expectedShare).toPrecision(2))
  return expected > 0 ? expected : undefined
}

/** The largest measured concurrency that holds the bounds, whatever it brings; 0 when none does. */
export function largestWithinBounds(measured: Measured, bounds: Bounds, training: boolean): number {
  const yardstick = yardstickOf(measured, bounds)
  const holding = summariesOf(measured.points, bounds).filter(
    point => point.training === training && brokenBound(point, yardstick) === undefined,
  )
  return Math.max(0, ...holding.map(({ threads }) => threads))
}
