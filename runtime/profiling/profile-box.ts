/**
 * A profile from start to end: asks the search for the next point, has it measured alone or beside a running
 * training loop, and turns the points into contract 4's data. What a probe or a trainer is, is passed in.
 */
import type { Clock } from '../core/clock.ts'
import type { ProbeJob, ProbeResult } from './probe-job.ts'
import type { MeasuredPoint, Profile, ProfileKey } from './profile.ts'
import { chooseOperatingPoint, nextPoint, type SearchBounds, type SearchPoint } from './search.ts'

/** A training loop that runs until it is stopped. */
export interface TrainingLoop {
  /** Steps since the loop began, as far as it has reported. */
  steps(): number
  stepsPerEpoch: number
  residentBytes(): number
  stop(): Promise<void>
}

export interface ProfileOptions {
  key: ProfileKey
  load: ProbeJob['load']
  bounds: SearchBounds
  /** Lengths of a measurement. Defaults: 500 ms to warm up, a window of 2,000 ms. */
  warmUpMs?: number
  windowMs?: number
  clock: Clock
  measure(job: ProbeJob, onMeasuring: () => void): Promise<ProbeResult>
  /** Starts the loop and resolves when it has made its first steps; undefined when nothing can be trained. */
  startTraining: (() => Promise<TrainingLoop>) | undefined
  onPoint?(point: MeasuredPoint): void
}

/** Steps that make a rate, and the windows that may pass until they are made. */
const fewSteps = 5
const mostWindows = 5

const delay = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

export async function profileBox(options: ProfileOptions): Promise<Profile> {
  const { bounds, clock, startTraining, windowMs = 2000, warmUpMs = 500 } = options
  const points: MeasuredPoint[] = []
  let loop: TrainingLoop | undefined
  let trainingAlone: Profile['trainingAlone'] = null

  const epochSeconds = (stepsPerSecond: number) =>
    loop === undefined || stepsPerSecond === 0 ? null : loop.stepsPerEpoch / stepsPerSecond

  async function measure({ threads, training }: SearchPoint): Promise<MeasuredPoint> {
    const { load, key } = options
    const job: ProbeJob = { threads, intraOpThreads: 1, provider: key.provider, load, warmUpMs, windowMs }
    let stepsAtStart = 0
    const result = await options.measure(job, () => {
      stepsAtStart = loop?.steps() ?? 0
    })
    const seconds = result.elapsedMs / 1000
    const stepsPerSecond = training && loop !== undefined ? (loop.steps() - stepsAtStart) / seconds : null
    return {
      threads,
      intraOpThreads: 1,
      batch: 1,
      training,
      requests: result.requests,
      failed: result.failed,
      throughput: result.requests / seconds,
      latencyMs: result.latencyMs,
      peakMemoryBytes: result.peakMemoryBytes + (training ? (loop?.residentBytes() ?? 0) : 0),
      trainingStepsPerSecond: stepsPerSecond,
      epochSeconds: stepsPerSecond === null ? null : epochSeconds(stepsPerSecond),
    }
  }

  async function measureAlone(running: TrainingLoop): Promise<Profile['trainingAlone']> {
    const stepsAtStart = running.steps()
    const startedAt = clock.monotonic()
    // A window may be shorter than a few steps.
    for (let window = 0; window < mostWindows && running.steps() - stepsAtStart < fewSteps; window += 1) {
      await delay(windowMs)
    }
    const perSecond = (running.steps() - stepsAtStart) / ((clock.monotonic() - startedAt) / 1000)
    return { stepsPerSecond: perSecond, epochSeconds: epochSeconds(perSecond) }
  }

  try {
    for (;;) {
      const next = nextPoint(points, bounds, startTraining !== undefined)
      if (next === undefined) break
      if (next.training && loop === undefined && startTraining !== undefined) {
        loop = await startTraining()
        trainingAlone = await measureAlone(loop)
      }
      const point = await measure(next)
      points.push(point)
      options.onPoint?.(point)
    }
  } finally {
    await loop?.stop()
  }

  const alone = chooseOperatingPoint(points, bounds, false)
  return {
    version: 1,
    createdAt: new Date(clock.now()).toISOString(),
    key: options.key,
    workload: Object.fromEntries(
      options.load.map(({ deployment }) => [deployment.function, 1 / options.load.length]),
    ),
    bounds: { latencyRatio: bounds.latencyRatio, memoryBudgetBytes: bounds.memoryBudgetBytes },
    trainingAlone,
    points,
    alone,
    besideTraining: startTraining === undefined ? alone : chooseOperatingPoint(points, bounds, true),
  }
}
