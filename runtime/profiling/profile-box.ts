/**
 * A profile from start to end: asks the search for the next point, has it measured, fills the curves of the report, and
 * turns the points into contract 4's data. How a point is measured is measure-box.ts's.
 */
import { type BeyondMemory, beyondMemory } from './beyond-memory.ts'
import { latencyLimitMs, type Measured, mebibytes } from './bounds.ts'
import { nextCurvePoint } from './curve.ts'
import { type MeasureBox, type MeasureOptions, openMeasureBox } from './measure-box.ts'
import { type Choice, choosePoint, type Goal } from './objective.ts'
import {
  type Bounds,
  type MeasuredPoint,
  type MixSource,
  type Profile,
  type ProfiledModel,
  type ProfiledOperatingPoint,
  type ProfileKey,
  profileVersion,
} from './profile.ts'
import { mostMeasurements, type NextPoint, nextAtLoad, nextPoint, type SearchMode } from './search.ts'
import { gridSize, isSame, isTrainable, leastPoint, type SearchPoint, type SearchSpace } from './space.ts'

export interface Progress {
  measured: number
  /** No more than this will be. */
  most: number
}

export interface ProfileOptions extends Omit<MeasureOptions, 'provider' | 'trainingAlone'> {
  key: ProfileKey
  mix: MixSource
  goal: { objective: Goal['objective']; bounds: Omit<Bounds, 'deviceBudgetBytes'> }
  space: SearchSpace
  mode: SearchMode
  /** Whether a quick search is followed by what the report's curves lack. Default: it is. */
  curves?: boolean
  /** After it nothing more is begun. */
  budgetMs?: number | undefined
  /** What an interrupted profile of the same box and bounds has measured. */
  known?: Measured | undefined
  /** Told of each new point, with all that is known then. */
  onPoint?(point: MeasuredPoint, measured: Measured, progress: Progress): void | Promise<void>
}

/** Of what is free on the device: the rest is for what a prediction does not see. */
const deviceShare = 0.9
/** Choices in a row that are measured beside the expected load. */
const mostProven = 4
/** Curves and open loops come after the search: at most so many measurements. */
const afterSearch = 6

export async function profileBox(options: ProfileOptions): Promise<Profile> {
  const { key, space, mode, clock, curves = mode === 'quick', budgetMs = Number.POSITIVE_INFINITY } = options
  const startedAt = clock.monotonic()
  const points = [...(options.known?.points ?? [])]
  const box = await openMeasureBox({
    ...options,
    provider: key.provider,
    trainingAlone: options.known?.trainingAlone ?? null,
  })
  const free = box.deviceFreeBytes
  const bounds: Bounds = {
    ...options.goal.bounds,
    deviceBudgetBytes: free === null ? null : Math.floor(free * deviceShare),
  }
  const goal: Goal = { ...options.goal, bounds }
  const leftOut: string[] = []
  const most = mostMeasurements(space, mode) + (curves ? afterSearch : 0)
  const measured = (): Measured => ({ points, trainingAlone: box.trainingAlone() })

  /** What is chosen, beside the load that is expected: what it is alone is what it is held against beside training. */
  const besideLoad = (point: SearchPoint): NextPoint | undefined =>
    typeof bounds.rate === 'number' || isTrainable(space)
      ? nextAtLoad(point, measured(), space, goal)
      : undefined

  /** Why nothing more is measured; undefined while there is time and memory. */
  async function endOf(): Promise<string | undefined> {
    if (clock.monotonic() - startedAt >= budgetMs) return `the time of ${budgetMs / 1000} s was over`
    return memoryEnd(box, bounds)
  }

  /** Measures what `next` asks for until it asks no more. False when something ended it before. */
  async function measureAll(next: () => NextPoint | undefined, what: string): Promise<boolean> {
    for (let asked = next(); asked !== undefined; asked = next()) {
      const { point, rate } = asked
      const end = await endOf()
      if (end !== undefined) {
        leftOut.push(`${what}: ${end}; next would have been ${describePoint(point)}`)
        return false
      }
      // What training costs requests on every thread shows without; beside a load the bound holds, and training pays.
      const boundMs = rate === null ? undefined : latencyLimitMs(points, bounds)
      const found = await box.measure(point, rate, boundMs)
      points.push(found)
      await options.onPoint?.(found, measured(), {
        measured: points.length,
        most: Math.max(most, points.length),
      })
    }
    return true
  }

  try {
    const searched = await measureAll(() => nextPoint(measured(), space, goal, mode), 'part of the search')
    const alone = choosePoint(measured(), goal, space, false)
    const chooseBeside = () =>
      isTrainable(space) ? choosePoint(measured(), goal, space, true, alone?.point.intraOpThreads) : alone
    let beside = chooseBeside()
    // A search that ran out of measurements leaves its choice unproven; what is proven wrong is chosen no more.
    for (let tries = 0; searched && tries < mostProven && beside !== undefined; tries += 1) {
      const { point } = beside
      await measureAll(() => besideLoad(point), 'the expected load')
      beside = chooseBeside()
      if (beside !== undefined && isSame(beside.point, point)) break
    }
    // Beside training first: its trainer runs.
    for (const choice of searched ? [beside, alone] : []) {
      if (choice === undefined || (choice === beside && beside === alone)) continue
      if (curves) {
        const nextOfCurve = () => closedLoop(nextCurvePoint(measured(), space, choice.point, goal))
        await measureAll(nextOfCurve, 'part of a curve')
      }
      await measureAll(() => besideLoad(choice.point), 'the expected load')
    }
    const beyond = beyondMemory(measured(), space, bounds, alone?.point.intraOpThreads)
    const beyondTexts = (of: readonly BeyondMemory[]) =>
      of.map(({ point, why }) => `${describePoint(point)}, and what is larger: ${why}`)
    const notBeside = [...leftOut, ...beyondTexts(beyond.filter(({ point }) => point.training))]
    leftOut.push(...beyondTexts(beyond))
    return {
      version: profileVersion,
      createdAt: new Date(clock.now()).toISOString(),
      key,
      workload: Object.fromEntries(options.load.map(({ deployment, share }) => [deployment.function, share])),
      mix: options.mix,
      models: modelsOf(options.load),
      objective: goal.objective,
      bounds,
      search: {
        mode,
        grid: gridSize(space),
        measurements: points.length,
        seconds: (clock.monotonic() - startedAt) / 1000,
        leftOut,
      },
      trainingAlone: box.trainingAlone(),
      points,
      alone: operatingPoint(alone, options.trained, space),
      besideTraining: operatingPoint(beside ?? besideUnmeasured(alone, notBeside[0]), options.trained, space),
    }
  } finally {
    await box.close()
  }
}

/** Whether the device is full already, whoever has filled it: then no point can fit, whatever was predicted. */
async function memoryEnd(box: MeasureBox, { deviceBudgetBytes }: Bounds): Promise<string | undefined> {
  const used = deviceBudgetBytes === null ? null : await box.deviceUsedBytes()
  if (used === null || deviceBudgetBytes === null || used <= deviceBudgetBytes) return undefined
  return `${mebibytes(used)} of the device's memory were taken before it began, over the ${mebibytes(deviceBudgetBytes)} that are free for it`
}

function modelsOf(load: ProfileOptions['load']): Record<string, ProfiledModel> {
  const models = load.flatMap(({ deployment }) => Object.values(deployment.models))
  return Object.fromEntries(
    models.flatMap(({ id, prepared }) =>
      prepared === undefined
        ? []
        : [[id, { weights: prepared.form, why: prepared.why, weightBytes: prepared.weightBytes }]],
    ),
  )
}

const closedLoop = (point: SearchPoint | undefined): NextPoint | undefined => point && { point, rate: null }

/** With nothing known of training beside, one inference at a time is what cannot hurt. */
function besideUnmeasured(alone: Choice | undefined, why: string | undefined): Choice | undefined {
  if (alone === undefined) return undefined
  const reason = `the least there is, since nothing was measured beside training${why ? `: ${why}` : ''}`
  return { point: { ...alone.point, threads: 1, batch: 1 }, reason }
}

function operatingPoint(
  choice: Choice | undefined,
  trained: string | undefined,
  space: SearchSpace,
): ProfiledOperatingPoint {
  const { point, reason } = choice ?? { point: leastPoint(space), reason: 'nothing was measured' }
  const { threads, intraOpThreads, batch, trainerThreads, microBatch } = point
  const trainer =
    trainerThreads === null || microBatch === null || trained === undefined
      ? null
      : { threads: trainerThreads, microBatch, function: trained }
  return { threads, intraOpThreads, batch, trainer, reason }
}

/** For people: `2 at once, 1 intra-op thread, in batches of 4, beside training (2 threads, 16 pictures at once)`. */
export function describePoint(point: SearchPoint): string {
  const { threads, intraOpThreads, batch, training, trainerThreads, microBatch } = point
  return [
    `${threads} at once`,
    ...(intraOpThreads > 1 ? [`${intraOpThreads} intra-op threads`] : []),
    ...(batch > 1 ? [`in batches of ${batch}`] : []),
    training ? `beside training (${trainerThreads} threads, ${microBatch} pictures at once)` : 'alone',
  ].join(', ')
}
