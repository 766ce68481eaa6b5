/**
 * The ways of a quick search: along one axis at a time, up while it pays and back where a bound breaks. Each is a generator
 * that asks for a point and is answered with what was measured of it; which ways are gone is search.ts's.
 */
import { demandsOf, foundAtLoad, type Measured, summariesOf, violationOf, type Yardstick } from './bounds.ts'
import { bestPoint, type Goal, isBetter, objectiveValue } from './objective.ts'
import { memoryObjection } from './predict-memory.ts'
import type { MeasuredPoint } from './profile.ts'
import { type Axis, isSame, pointOf, type SearchPoint, type SearchSpace } from './space.ts'

/** What has been measured: in closed loops, which the search climbs by, and what all of it is held against. */
export interface Known extends Measured {
  yardstick: Yardstick
}

export interface Question {
  point: SearchPoint
  /** Measurements of it that are wanted in all. */
  times: number
  /** And one beside the expected load. */
  atLoad?: boolean
}

export type Questions<Answer> = Generator<Question, Answer, MeasuredPoint>

/** A point over a bound by no more than this may be noise, and is measured again. */
const doubtfulShare = 1.25
/** Over it by more, all that is larger breaks it too. */
const certainShare = 1.25
export const timesDoubtful = 2

/** `over`: the share by which a bound is broken; see violationOf. */
export const isDoubtful = (over: number) => over > 0 && over <= doubtfulShare - 1

/** Still over it by no more than this, it is measured once more. */
const hairShare = 1.05
/** Points that are measured again before one is chosen. */
const mostConfirmed = 3
/** Of an ascent over all axes: the second sees what the last axis has changed for the first. */
const mostRounds = 3

export function createClimber(measured: Known, space: SearchSpace, goal: Goal) {
  const { bounds } = goal
  const { yardstick } = measured
  const timesOf = (point: SearchPoint) => measured.points.filter(other => isSame(other, point)).length

  function* look(point: SearchPoint, best?: MeasuredPoint): Questions<MeasuredPoint> {
    const found = yield { point, times: 1 }
    const over = violationOf(found, yardstick)
    const promising = best === undefined || objectiveValue(found, goal) > objectiveValue(best, goal)
    if (!isDoubtful(over) || !promising) return found
    const again = yield { point, times: timesDoubtful }
    const still = violationOf(again, yardstick)
    return still > 0 && still <= hairShare - 1 ? yield { point, times: timesDoubtful + 1 } : again
  }

  /** And at what it costs training, which only a point that would else be gone on from is worth asking for. */
  function* lookWell(point: SearchPoint, best?: MeasuredPoint): Questions<MeasuredPoint> {
    const found = yield* look(point, best)
    return point.training && found.fits && violationOf(found, yardstick) === 0
      ? yield { point, times: 1, atLoad: true }
      : found
  }

  /** The point at another place of an axis. More threads inside a session take the place of as many of the pool. */
  function moved(from: SearchPoint, axis: Axis, value: number): SearchPoint {
    const point = { ...pointOf(from), [axis]: value }
    if (axis !== 'intraOpThreads') return point
    const threads = (from.threads * from.intraOpThreads) / value
    return { ...point, threads: space.threads.findLast(known => known <= Math.max(1, threads)) ?? 1 }
  }

  /**
   * The best along one axis: in values that double while they pay, then between the last that did and the first that
   * did not. All axes but that of threads have values that double already.
   */
  function* line(start: MeasuredPoint, axis: Axis, direction: 1 | -1): Questions<MeasuredPoint> {
    const values = space[axis]
    const placeOf = (point: SearchPoint) => values.indexOf(point[axis] ?? 0)
    const at = (place: number) => moved(start, axis, values[place] ?? 0)
    const isPlace = (place: number) => place >= 0 && place < values.length
    let best = start
    let bad: number | undefined
    let worthBetween = true
    const faster = axis === 'threads' ? 2 : 1
    for (let stride = 1; ; stride *= faster) {
      const last = direction === 1 ? values.length - 1 : 0
      const wanted = placeOf(best) + direction * stride
      const place = isPlace(wanted) ? wanted : last
      if (place === placeOf(best)) return best
      const point = at(place)
      if (against(point, measured, goal)) {
        bad = place
        break
      }
      const found = yield* look(point, best)
      if (!isBetter(found, best, goal, yardstick)) {
        bad = place
        const promising = !found.fits || objectiveValue(found, goal) > objectiveValue(best, goal)
        worthBetween = promising && violationOf(found, yardstick) > 0
        break
      }
      best = found
    }
    while (worthBetween && bad !== undefined && Math.abs(bad - placeOf(best)) > 1) {
      const middle = Math.trunc((bad + placeOf(best)) / 2)
      const point = at(middle)
      if (against(point, measured, goal)) {
        bad = middle
        continue
      }
      const found = yield* look(point, best)
      if (isBetter(found, best, goal, yardstick)) best = found
      else bad = middle
    }
    return best
  }

  /**
   * A start that breaks its bounds goes back along the axis: to its half, the half of that, until one holds them, and
   * from there on to the largest that does. A trainer that yields hurts few requests more than many, so that the least
   * need not hold what more do.
   */
  function* retreat(start: MeasuredPoint, axis: Axis): Questions<MeasuredPoint> {
    const values = space[axis]
    let bad = values.indexOf(start[axis] ?? 0)
    let good = -1
    let best = start
    if (violationOf(start, yardstick) === 0) return start
    while (bad - good > 1) {
      const middle = good < 0 ? bad >> 1 : Math.trunc((bad + good) / 2)
      const found = yield* lookWell({ ...pointOf(start), [axis]: values[middle] ?? 0 }, best)
      const better = isBetter(found, best, goal, yardstick)
      if (better) best = found
      if (better && violationOf(found, yardstick) === 0) good = middle
      else bad = middle
    }
    return best
  }

  /** Where the trainer costs requests too much, the one that takes least may still leave room for all of them. */
  function* gentler(start: MeasuredPoint): Questions<MeasuredPoint> {
    const broken = demandsOf(start, yardstick).filter(({ share }) => share > 1)
    if (start.fits && (broken.length === 0 || broken.some(({ what }) => what === 'stretch'))) return start
    const [trainerThreads = null, microBatch = null] = [space.trainerThreads[0], space.microBatch[0]]
    const found = yield* look({ ...pointOf(start), trainerThreads, microBatch }, start)
    return isBetter(found, start, goal, yardstick) ? found : start
  }

  /** Fewer threads and smaller batches bring no throughput: only another objective looks for them. */
  const looksDown = (axis: Axis) =>
    goal.objective !== 'throughput' || axis === 'trainerThreads' || axis === 'microBatch'

  /** What runs at once only adds to latency: more is worth a look where fewer do not hold the bounds. */
  const looksUp = (axis: Axis, best: MeasuredPoint) =>
    goal.objective !== 'latency' ||
    (axis !== 'threads' && axis !== 'batch') ||
    violationOf(best, yardstick) > 0

  /** Along each axis in turn, and again while a later one has changed what the first had found. */
  function* ascend(start: MeasuredPoint, axes: readonly Axis[]): Questions<MeasuredPoint> {
    let best = start
    for (let round = 0; round < mostRounds; round += 1) {
      let first: MeasuredPoint | undefined
      for (const axis of axes) {
        best = yield* retreat(best, axis)
        if (looksUp(axis, best)) best = yield* line(best, axis, 1)
        if (looksDown(axis)) best = yield* line(best, axis, -1)
        first ??= best
      }
      if (first === undefined || isSame(first, best)) break
    }
    return best
  }

  /** More threads inside a session make room under the latency bound for larger batches, which shows only together. */
  function* elsewhere(best: MeasuredPoint): Questions<MeasuredPoint> {
    const other = space.intraOpThreads.find(value => value > best.intraOpThreads)
    const point = other === undefined ? undefined : moved(best, 'intraOpThreads', other)
    if (point === undefined || against(point, measured, goal)) return best
    const found = yield* line(yield* line(yield* look(point, best), 'batch', 1), 'threads', 1)
    return isBetter(found, best, goal, yardstick) ? found : best
  }

  /** The same with as many threads as memory would hold; undefined when it would not hold one. */
  const fitting = (start: SearchPoint): SearchPoint | undefined =>
    [start, ...space.threads.toReversed().map(threads => ({ ...start, threads, batch: 1 }))].find(
      point => point.threads <= start.threads && !memoryAgainst(point, measured, goal),
    )

  function* climb(wanted: SearchPoint, axes: readonly Axis[]): Questions<void> {
    const start = fitting(wanted)
    if (start === undefined) return
    let best = yield* lookWell(start)
    if (start.training) best = yield* gentler(best)
    best = yield* ascend(best, axes)
    if (axes.includes('intraOpThreads') && goal.objective !== 'latency') best = yield* elsewhere(best)
    yield* confirm(best)
  }

  /** What would be chosen is measured again, so that luck does not choose: until that no longer changes the choice. */
  function* confirm({ training, intraOpThreads }: MeasuredPoint): Questions<void> {
    for (let times = 0; times < mostConfirmed; times += 1) {
      const candidates = summariesOf(measured.points, bounds).filter(
        point => point.training === training && (!training || point.intraOpThreads === intraOpThreads),
      )
      const best = bestPoint(candidates, goal, yardstick)
      if (best === undefined) return
      const known = timesOf(best) > 1 && (!training || foundAtLoad(best, yardstick) !== undefined)
      if (known) return
      yield { point: pointOf(best), times: 2, atLoad: training }
    }
  }

  return { climb }
}

/** Whether a point is known not to be worth a first measurement, from those below it. */
function against(point: SearchPoint, measured: Known, goal: Goal): boolean {
  if (measured.points.some(other => isSame(other, point))) return false
  if (memoryAgainst(point, measured, goal)) return true
  for (const other of measured.points) {
    const certain = demandsOf(other, measured.yardstick).filter(({ share }) => share > certainShare)
    const below =
      other.threads <= point.threads &&
      other.batch <= point.batch &&
      other.intraOpThreads === point.intraOpThreads
    const sameTrainer = other.trainerThreads === point.trainerThreads && other.microBatch === point.microBatch
    for (const { what } of certain) {
      // Latency only grows with concurrency, batch, and training beside; what it costs training, with concurrency.
      if (what === 'latency' && below && (!other.training || sameTrainer)) return true
      if (what === 'stretch' && below && other.batch === point.batch && sameTrainer) return true
    }
  }
  return false
}

/** Whether memory did not hold less, or would not hold it, by what is known. Not of a point that was tried. */
export function memoryAgainst(point: SearchPoint, measured: Measured, goal: Goal): boolean {
  if (measured.points.some(other => isSame(other, point))) return false
  return memoryObjection(point, measured, goal.bounds) !== undefined
}
