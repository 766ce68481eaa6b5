/**
 * Measures points of this box one after another: keeps the trainer that they run beside, watches the device's memory,
 * and turns what a probe found into a point. What to measure is search.ts's.
 */
import type { Clock } from '../core/clock.ts'
import type { DeviceMemory } from '../device/device-memory.ts'
import type { ProbeJob, ProbeResult } from './probe-job.ts'
import type { MeasuredPoint, TrainingAlone } from './profile.ts'
import type { SearchPoint } from './space.ts'
import type { TrainerSetting, TrainingLoop } from './training-loop.ts'

export interface MeasureOptions {
  provider: string
  load: ProbeJob['load']
  /** Lengths in a measurement: to warm up, and of a window, of which three in a row must agree. */
  warmUpMs: number
  windowMs: number
  clock: Clock
  /** `onMeasuring`: the warm-up is over. Undefined: memory did not hold the point. */
  measure(job: ProbeJob, onMeasuring: () => void): Promise<ProbeResult | undefined>
  /** Resolves when it has made its first steps; undefined when memory did not hold it. */
  startTraining(setting: TrainerSetting): Promise<TrainingLoop | undefined>
  /** The function that is trained; undefined where nothing can be. */
  trained: string | undefined
  /** Undefined where the device does not tell. */
  readDevice(): Promise<DeviceMemory | undefined>
  /** What a resumed profile knows. */
  trainingAlone: TrainingAlone | null
}

export interface MeasureBox {
  /**
   * A closed loop, or Poisson arrivals at `rate` a second, beside which training yields to the latency bound as it does
   * beside a server's requests.
   */
  measure(point: SearchPoint, rate?: number | null, boundMs?: number): Promise<MeasuredPoint>
  trainingAlone(): TrainingAlone | null
  /** Of the device, over what it had at the start, with a trainer that runs; null where it does not tell. */
  deviceUsedBytes(): Promise<number | null>
  /** Free on the device at the start. */
  readonly deviceFreeBytes: number | null
  close(): Promise<void>
}

/** Steps that make a rate, and the windows that may pass until they are made. */
const fewSteps = 5
const mostWindowsAlone = 8
/** Between two looks at the device's memory. */
const lookMs = 400

const delay = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

export async function openMeasureBox(options: MeasureOptions): Promise<MeasureBox> {
  const { clock, windowMs } = options
  const deviceFreeBytes = (await options.readDevice())?.freeBytes ?? null
  let trainingAlone = options.trainingAlone
  let running: { setting: TrainerSetting; loop: TrainingLoop } | undefined

  const usedWith = (freeBytes: number | null | undefined): number | null =>
    deviceFreeBytes === null || typeof freeBytes !== 'number'
      ? null
      : Math.max(0, deviceFreeBytes - freeBytes)

  const deviceUsedBytes = async () =>
    usedWith(deviceFreeBytes === null ? null : (await options.readDevice())?.freeBytes)

  /** The most that `work` takes of the device, and its result. */
  async function watchingDevice<Result>(work: Promise<Result>): Promise<[Result, number | null]> {
    let peak = await deviceUsedBytes()
    if (peak === null) return [await work, null]
    let over = false
    const looks = (async () => {
      while (!over) {
        await Promise.race([delay(lookMs), work.catch(() => undefined)])
        peak = Math.max(peak ?? 0, (await deviceUsedBytes()) ?? 0)
      }
    })()
    try {
      const result = await work
      over = true
      await looks
      return [result, peak]
    } finally {
      over = true
    }
  }

  async function stopTraining(): Promise<void> {
    const loop = running?.loop
    running = undefined
    await loop?.stop()
  }

  /** The trainer of a point, which runs from point to point; undefined when memory does not hold it. */
  async function trainerOf({ trainerThreads, microBatch }: SearchPoint): Promise<TrainingLoop | undefined> {
    const setting = { threads: trainerThreads ?? 1, microBatch: microBatch ?? 1 }
    const same =
      running?.setting.threads === setting.threads && running.setting.microBatch === setting.microBatch
    if (running !== undefined && same && running.loop.ended() === undefined) return running.loop
    await stopTraining()
    const loop = await options.startTraining(setting)
    if (loop === undefined) return undefined
    running = { setting, loop }
    trainingAlone ??= await measureAlone(loop, setting)
    return loop
  }

  async function measureAlone(loop: TrainingLoop, setting: TrainerSetting): Promise<TrainingAlone> {
    const [stepsAtStart, startedAt] = [loop.steps(), clock.monotonic()]
    // A window may be shorter than a few steps.
    for (let window = 0; window < mostWindowsAlone && loop.steps() - stepsAtStart < fewSteps; window += 1) {
      await delay(windowMs)
    }
    const stepsPerSecond = (loop.steps() - stepsAtStart) / ((clock.monotonic() - startedAt) / 1000)
    return {
      function: options.trained ?? '',
      ...setting,
      stepsPerSecond,
      epochSeconds: stepsPerSecond > 0 ? loop.stepsPerEpoch / stepsPerSecond : null,
      peakMemoryBytes: loop.residentBytes(),
      deviceMemoryBytes: await deviceUsedBytes(),
    }
  }

  async function measure(
    point: SearchPoint,
    rate: number | null = null,
    boundMs: number | null = null,
  ): Promise<MeasuredPoint> {
    const { threads, batch, intraOpThreads, training } = point
    const loop = training ? await trainerOf(point) : undefined
    if (training && loop === undefined) return notFitting(point, rate)
    if (!training) await stopTraining()
    const { provider, load, warmUpMs } = options
    const trainer = loop?.yields ?? null
    const job: ProbeJob = {
      threads,
      batch,
      intraOpThreads,
      provider,
      load,
      rate,
      warmUpMs,
      windowMs,
      trainer,
      boundMs,
    }
    let stepsAtStart = 0
    const probing = options.measure(job, () => {
      stepsAtStart = loop?.steps() ?? 0
    })
    const [result, seenOnDevice] = await watchingDevice(probing)
    loop?.goOn()
    const steps = (loop?.steps() ?? 0) - stepsAtStart
    const ended = loop?.ended()
    if (ended instanceof Error) throw ended
    if (result === undefined || ended === 'memory') return notFitting(point, rate)
    const stepsPerSecond = loop === undefined ? null : (steps / result.measuredMs) * 1000
    const loadedOnDevice = usedWith(result.deviceFreeBytes)
    return {
      ...point,
      rate,
      fits: true,
      stable: result.stable,
      requests: result.requests,
      failed: result.failed,
      throughput: result.requests / (result.elapsedMs / 1000),
      latencyMs: result.latencyMs,
      queueMs: result.queueMs,
      runMs: result.runMs,
      cpuSecondsPerInference: result.requests === 0 ? 0 : result.cpuSeconds / result.requests,
      peakMemoryBytes: result.peakMemoryBytes + (loop?.residentBytes() ?? 0),
      // A look from outside may miss a short measurement, and the probe's own look what was freed before it.
      deviceMemoryBytes:
        seenOnDevice === null && loadedOnDevice === null
          ? null
          : Math.max(seenOnDevice ?? 0, loadedOnDevice ?? 0),
      trainingStepsPerSecond: stepsPerSecond,
      epochSeconds:
        loop === undefined || stepsPerSecond === null || stepsPerSecond === 0
          ? null
          : loop.stepsPerEpoch / stepsPerSecond,
    }
  }

  return {
    measure,
    trainingAlone: () => trainingAlone,
    deviceUsedBytes,
    deviceFreeBytes,
    close: stopTraining,
  }
}

const nothing = { p50: 0, p95: 0, p99: 0 }

const notFitting = (point: SearchPoint, rate: number | null): MeasuredPoint => ({
  ...point,
  rate,
  fits: false,
  stable: true,
  requests: 0,
  failed: 0,
  throughput: 0,
  latencyMs: nothing,
  queueMs: nothing,
  runMs: nothing,
  cpuSecondsPerInference: 0,
  peakMemoryBytes: 0,
  deviceMemoryBytes: null,
  trainingStepsPerSecond: null,
  epochSeconds: null,
})
