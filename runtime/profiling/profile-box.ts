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

/** What has been measured so far. */
export type Measured = Pick<Profile, 'points' | 'trainingAlone'>

export interface ProfileOptions {
  key: ProfileKey
  load: ProbeJob['load']
  bounds: SearchBounds
  /** Lengths in a measurement. Defaults: 500 ms to warm up, windows of 1,000 ms, of which three in a row must agree. */
  warmUpMs?: number
  windowMs?: number
  clock: Clock
  measure(job: ProbeJob, onMeasuring: () => void): Promise<ProbeResult | undefined>
  /** Starts the loop and resolves when it has made its first steps; undefined when nothing can be trained. */
  startTraining: (() => Promise<TrainingLoop>) | undefined
  /** What an interrupted profile of the same box and bounds has measured. */
  known?: Measured | undefined
  /** Told of each new point, with all that is known then. */
  onPoint?(point: MeasuredPoint, measured: Measured): void | Promise<void>
}

/** Steps that make a rate, and the windows that may pass until they are made. */
const fewSteps = 5
const mostWindows = 5

const delay = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

export async function profileBox(options: ProfileOptions): Promise<Profile> {
  const { bounds, clock, startTraining, windowMs = 1000, warmUpMs = 500 } = options
  const points = [...(options.known?.points ?? [])]
  let loop: TrainingLoop | undefined
  let trainingAlone = options.known?.trainingAlone ?? null

  const epochSeconds = (stepsPerSecond: number) =>
    loop === undefined || stepsPerSecond === 0 ? null : loop.stepsPerEpoch / stepsPerSecond

  async function measure({ threads, batch, training }: SearchPoint): Promise<MeasuredPoint> {
    const { load, key } = options
    const { provider } = key
    const job: ProbeJob = { threads, batch, intraOpThreads: 1, provider, load, warmUpMs, windowMs }
    let stepsAtStart = 0
    const result = await options.measure(job, () => {
      stepsAtStart = loop?.steps() ?? 0
    })
    if (result === undefined) return notFitting({ threads, batch, training })
    const seconds = result.elapsedMs / 1000
    const stepsPerSecond =
      training && loop !== undefined ? ((loop.steps() - stepsAtStart) / result.measuredMs) * 1000 : null
    return {
      threads,
      intraOpThreads: 1,
      batch,
      training,
      fits: true,
      stable: result.stable,
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
        trainingAlone ??= await measureAlone(loop)
      }
      const point = await measure(next)
      points.push(point)
      await options.onPoint?.(point, { points, trainingAlone })
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

const notFitting = (point: SearchPoint): MeasuredPoint => ({
  ...point,
  intraOpThreads: 1,
  fits: false,
  stable: true,
  requests: 0,
  failed: 0,
  throughput: 0,
  latencyMs: { p50: 0, p95: 0, p99: 0 },
  peakMemoryBytes: 0,
  trainingStepsPerSecond: null,
  epochSeconds: null,
})
