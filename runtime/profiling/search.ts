/**
 * The search of a profile, as a pure function that asks for the next point: what has been measured is replayed through
 * it, and the first question without an answer is what to measure next. So an interrupted search goes on where it was.
 * How a quick search climbs is climb.ts's.
 */
import { type Measured, summariesOf, summaryOf, violationOf, yardstickOf } from './bounds.ts'
import {
  createClimber,
  isDoubtful,
  type Known,
  memoryAgainst,
  type Questions,
  timesDoubtful,
} from './climb.ts'
import { choosePoint, expectedRate, type Goal } from './objective.ts'
import {
  besideTraining,
  gridOf,
  gridSize,
  isSame,
  isTrainable,
  keyOf,
  leastPoint,
  type SearchPoint,
  type SearchSpace,
} from './space.ts'

export type SearchMode = 'quick' | 'exhaustive'

/** Of the grid that a quick search may measure, repeats included. */
const quickShare = 0.15
/** A small grid leaves room for no share: the least that says anything. */
const leastMeasurements = 9

/** Of these, for what is chosen at last: beside training and alone, each beside the expected load. */
const provingMeasurements = 2

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
  const most = mostMeasurements(space, 'quick') - (isTrainable(space) ? provingMeasurements : 0)
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
  const times = isDoubtful(over) ? timesDoubtful : 1
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
