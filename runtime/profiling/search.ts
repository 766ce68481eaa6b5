/**
 * The search of a profile, as a pure function that asks for the next point: what has been measured is replayed through
 * it, and the first question without an answer is what to measure next. So an interrupted search goes on where it was.
 */
import {
  demandsOf,
  foundAtLoad,
  type Measured,
  summariesOf,
  summaryOf,
  violationOf,
  type Yardstick,
  yardstickOf,
} from './bounds.ts'
import { bestPoint, choosePoint, expectedRate, type Goal, isBetter, objectiveValue } from './objective.ts'
import { memoryObjection } from './predict-memory.ts'
import type { MeasuredPoint } from './profile.ts'
import {
  type Axis,
  besideTraining,
  gridOf,
  gridSize,
  isSame,
  isTrainable,
  keyOf,
  leastPoint,
  pointOf,
  type SearchPoint,
  type SearchSpace,
} from './space.ts'

export type SearchMode = 'quick' | 'exhaustive'

/** Of the grid that a quick search may measure, repeats included. */
const quickShare = 0.15
/** A small grid leaves room for no share: the least that says anything. */
const leastMeasurements = 9

/** The most measurements that a search makes. */
export function mostMeasurements(space: SearchSpace, mode: SearchMode): number {
  const size = gridSize(space)
  return mode === 'exhaustive'
    ? size
    : Math.min(size, Math.max(leastMeasurements, Math.floor(size * quickShare)))
}

/** What to measure next. */
export interface NextPoint {
  point: SearchPoint
  /** Poisson arrivals a second; null: a closed loop. */
  rate: number | null
}

/** What has been measured: in closed loops, which the search climbs by, and what all of it is held against. */
interface Known extends Measured {
  yardstick: Yardstick
}

/** The point to measure next; undefined when the search is over. */
export function nextPoint(
  measured: Measured,
  space: SearchSpace,
  goal: Goal,
  mode: SearchMode = 'quick',
): NextPoint | undefined {
  const yardstick = yardstickOf(measured, goal.bounds)
  const closed = measured.points.filter(({ rate }) => rate === null)
  const known: Known = { ...measured, points: closed, yardstick }
  if (mode === 'exhaustive') {
    const point = nextOfGrid(known, space, goal)
    return point && { point, rate: null }
  }
  const most = mostMeasurements(space, 'quick')
  return measured.points.length < most ? nextOfSearch(known, measured, space, goal, most) : undefined
}

/**
 * The point beside the expected load; undefined where that is known, or no load is. Near to a bound it is measured twice.
 */
export function nextAtLoad(
  point: SearchPoint,
  measured: Measured,
  space: SearchSpace,
  goal: Goal,
): NextPoint | undefined {
  const yardstick = yardstickOf(measured, goal.bounds)
  const closed = summariesOf(measured.points, goal.bounds).find(other => isSame(other, point))
  const over = closed === undefined ? 0 : violationOf(closed, yardstick)
  const times = over > 0 && over <= doubtfulShare - 1 ? timesDoubtful : 1
  const rate = expectedRate(measured, goal, space)
  const known = yardstick.atLoad.get(keyOf(point))?.length ?? 0
  return rate === undefined || known >= times ? undefined : { point, rate }
}

/** Every point that memory would hold. */
function nextOfGrid(measured: Measured, space: SearchSpace, goal: Goal): SearchPoint | undefined {
  const known = new Set(measured.points.map(keyOf))
  const alone = gridOf({ ...space, trainerThreads: [], microBatch: [] })
  const next = (points: readonly SearchPoint[]) =>
    points.find(point => !known.has(keyOf(point)) && !memoryAgainst(point, measured, goal))
  const left = next(alone)
  if (left !== undefined || !isTrainable(space)) return left
  return next(gridOf(space, choosePoint(measured, goal, space, false)?.point.intraOpThreads))
}

interface Question {
  point: SearchPoint
  /** Measurements of it that are wanted in all. */
  times: number
  /** And one beside the expected load. */
  atLoad?: boolean
}

type Questions<Answer> = Generator<Question, Answer, MeasuredPoint>

function nextOfSearch(
  measured: Known,
  all: Measured,
  space: SearchSpace,
  goal: Goal,
  most: number,
): NextPoint | undefined {
  const search = quickSearch(measured, space, goal, isTrainable(space) ? Math.ceil(most / 2) : most)
  for (let step = search.next(); !step.done; ) {
    const { point, times } = step.value
    const known = measured.points.filter(other => isSame(other, point))
    const summary = summaryOf(known, goal.bounds)
    if (summary === undefined || known.length < times) return { point, rate: null }
    const beside = step.value.atLoad ? nextAtLoad(point, all, space, goal) : undefined
    if (beside !== undefined) return beside
    step = search.next(summary)
  }
  return undefined
}

/** `mostAlone`: measurements after which it is training's turn. */
function* quickSearch(measured: Known, space: SearchSpace, goal: Goal, mostAlone: number): Questions<void> {
  const climber = createClimber(measured, space, goal)
  const timesOf = (point: SearchPoint) => measured.points.filter(other => isSame(other, point)).length
  const spent = measured.points.filter(({ training }) => !training).length
  const alone = climber.climb(leastPoint(space), ['threads', 'intraOpThreads', 'batch'])
  let step = alone.next()
  while (!step.done && (timesOf(step.value.point) >= step.value.times || spent < mostAlone)) {
    step = alone.next(yield step.value)
  }
  if (!isTrainable(space)) return
  const chosen = choosePoint(measured, goal, space, false)?.point ?? leastPoint(space)
  if (goal.objective === 'training') {
    // It is fastest beside the fewest.
    const fewest = { ...chosen, threads: 1, batch: 1 }
    yield* climber.climb(besideTraining(fewest, space), ['trainerThreads', 'microBatch', 'threads', 'batch'])
    return
  }
  yield* climber.climb(besideTraining(chosen, space), ['threads', 'trainerThreads', 'microBatch', 'batch'])
}

/** A point over a bound by no more than this may be noise. */
const doubtfulShare = 1.25
/** Over it by more, all that is larger breaks it too. */
const certainShare = 1.25
const timesDoubtful = 2
/** Still over it by no more than this, it is measured once more. */
const hairShare = 1.05
/** Points that are measured again before one is chosen. */
const mostConfirmed = 3
/** Of an ascent over all axes: the second sees what the last axis has changed for the first. */
const mostRounds = 3

function createClimber(measured: Known, space: SearchSpace, goal: Goal) {
  const { bounds } = goal
  const { yardstick } = measured
  const timesOf = (point: SearchPoint) => measured.points.filter(other => isSame(other, point)).length

  function* look(point: SearchPoint, best?: MeasuredPoint): Questions<MeasuredPoint> {
    const found = yield { point, times: 1 }
    const over = violationOf(found, yardstick)
    const promising = best === undefined || objectiveValue(found, goal) > objectiveValue(best, goal)
    if (over === 0 || over > doubtfulShare - 1 || !promising) return found
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

  /** Along each axis in turn, and again while a later one has changed what the first had found. */
  function* ascend(start: MeasuredPoint, axes: readonly Axis[]): Questions<MeasuredPoint> {
    let best = start
    for (let round = 0; round < mostRounds; round += 1) {
      let first: MeasuredPoint | undefined
      for (const axis of axes) {
        best = yield* retreat(best, axis)
        best = yield* line(best, axis, 1)
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
    if (axes.includes('intraOpThreads')) best = yield* elsewhere(best)
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
function memoryAgainst(point: SearchPoint, measured: Measured, goal: Goal): boolean {
  if (measured.points.some(other => isSame(other, point))) return false
  return memoryObjection(point, measured, goal.bounds) !== undefined
}
