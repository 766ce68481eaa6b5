/** Boxes that exist on paper alone: what each point would show, by a few lines of queueing, with noise where asked. */

import type { Goal } from '../../runtime/profiling/objective.ts'
import type { Bounds, MeasuredPoint, TrainingAlone } from '../../runtime/profiling/profile.ts'
import type { SearchPoint, SearchSpace } from '../../runtime/profiling/space.ts'

export interface SyntheticBox {
  cores: number
  /** One inference on one core. */
  ms: number
  /** Share of a run that more intra-op threads do not shorten. */
  serial: number
  /** What a further row of a batch costs, of one inference: 1 on a CPU, little on an accelerator that has room. */
  row: number
  /** Rows that an accelerator takes at `row`; those beyond cost a whole inference each. */
  wideRows: number
  /** Of what a core does, shared by all: memory bandwidth. Cores beyond it bring nothing. */
  bandwidthCores: number
  /** How much slower inference is beside a trainer on as many threads as cores with the whole batch. */
  trainerCost: number
  /** How much slower training is for each further thread that infers beside it, where nothing preempts. */
  crowding: number
  /** What the trainer gets of itself while inference takes all it can: little on a CPU, more where nothing preempts. */
  trainerFloor: number
  mebibytes: { process: number; thread: number; row: number; trainer: number }
  /** Standard deviation of a measurement, of its value. */
  noise: number
}

export const plainBox: SyntheticBox = {
  cores: 2,
  ms: 5,
  serial: 0.3,
  row: 0.95,
  wideRows: 64,
  bandwidthCores: 64,
  trainerCost: 0.05,
  crowding: 0,
  trainerFloor: 0.02,
  mebibytes: { process: 120, thread: 30, row: 4, trainer: 300 },
  noise: 0,
}

const stepsAlone = 5
const stepsPerEpoch = 20

/** `random`: uniform in 0..1, for noise. */
export function measureOn(box: SyntheticBox, space: SearchSpace, random: () => number) {
  return (point: SearchPoint, rate: number | null = null): MeasuredPoint => {
    const { threads, intraOpThreads, batch, training, trainerThreads, microBatch } = point
    const noisy = (value: number) => value * (1 + box.noise * normal(random))
    const fullBatch = space.microBatch.at(-1) ?? 1
    const weight = training
      ? ((trainerThreads ?? 1) / box.cores) * (0.5 + (0.5 * (microBatch ?? 1)) / fullBatch)
      : 0
    const slower = 1 + box.trainerCost * weight
    const rows = 1 + box.row * (Math.min(batch, box.wideRows) - 1) + Math.max(0, batch - box.wideRows)
    const runMs = box.ms * rows * (box.serial + (1 - box.serial) / intraOpThreads) * slower
    const useful = box.serial * 1 + (1 - box.serial) * intraOpThreads
    const capacity = Math.min(box.cores, box.bandwidthCores)
    const load = (threads * useful) / capacity
    const served = (1000 * threads * batch) / (runMs * Math.max(1, load))
    // Of what it serves: waiting grows with it as in a queue with one server for all.
    const used = rate === null ? 1 : Math.min(0.99, rate / served)
    const waitMs = rate === null ? 0 : (runMs * used ** (threads + 1)) / (1 - used)
    const latency = rate === null ? runMs * Math.max(1, load) : runMs + waitMs
    const [noisyLatency, mib] = [noisy(latency), 2 ** 20]
    const idle = Math.max(0, 1 - (used * Math.min(threads * useful, box.cores)) / box.cores)
    const share = Math.max(box.trainerFloor, Math.min(1, (idle * box.cores) / (trainerThreads ?? 1)))
    const efficiency = 0.85 + (0.15 * (microBatch ?? 1)) / fullBatch
    const memory = box.mebibytes
    const percentiles = { p50: noisyLatency * 0.9, p95: noisyLatency, p99: noisyLatency * 1.2 }
    const steps =
      stepsAlone *
      efficiency *
      (share / (1 + box.crowding * (threads - 1))) *
      ((0.4 + 0.6 * (trainerThreads ?? 1)) / (0.4 + 0.6 * Math.min(4, box.cores)))
    return {
      ...{ threads, intraOpThreads, batch, training, trainerThreads, microBatch },
      rate,
      fits: true,
      stable: true,
      requests: 100,
      failed: 0,
      throughput: noisy(rate ?? served),
      latencyMs: percentiles,
      queueMs: { p50: waitMs / 3, p95: waitMs, p99: waitMs * 1.5 },
      runMs: percentiles,
      cpuSecondsPerInference: runMs / 1000,
      peakMemoryBytes:
        mib *
        (memory.process + threads * (memory.thread + memory.row * batch) + (training ? memory.trainer : 0)),
      deviceMemoryBytes: null,
      trainingStepsPerSecond: training ? noisy(steps) : null,
      epochSeconds: training ? stepsPerEpoch / steps : null,
    }
  }
}

export function trainingAloneOn(space: SearchSpace): TrainingAlone | null {
  const [threads, microBatch] = [space.trainerThreads.at(-1), space.microBatch.at(-1)]
  if (threads === undefined || microBatch === undefined) return null
  return {
    function: 'scene',
    ...{ threads, microBatch, stepsPerSecond: stepsAlone, epochSeconds: stepsPerEpoch / stepsAlone },
    ...{ peakMemoryBytes: 300 * 2 ** 20, deviceMemoryBytes: null },
  }
}

/** Box and Muller's. */
const normal = (random: () => number) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

export const plainBounds: Bounds = {
  latency: { ratio: 1.5 },
  percentile: 'p95',
  memoryBudgetBytes: 4 * 2 ** 30,
  deviceBudgetBytes: null,
  maxEpochStretch: 2,
}

export const throughputGoal: Goal = { objective: 'throughput', bounds: plainBounds }
