// A grid of points of this box, each measured once in short windows: what a quick search is judged against, live in the
// suite `profile` and recorded in the tests' fixtures.
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { prepareWorkload, type Workload } from '../../runtime/cli/profile-workload.ts'
import { systemClock } from '../../runtime/core/clock.ts'
import { readConfig } from '../../runtime/core/config.ts'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { readDeviceMemory } from '../../runtime/device/device-memory.ts'
import { memoryBudgetBytes } from '../../runtime/device/memory.ts'
import { measurePoint } from '../../runtime/profiling/measure-point.ts'
import type { Profile } from '../../runtime/profiling/profile.ts'
import { type ProfileOptions, profileBox } from '../../runtime/profiling/profile-box.ts'
import type { SearchSpace } from '../../runtime/profiling/space.ts'

/** 96 points on two cores. */
export function gridSpace(batchSize: number | undefined): SearchSpace {
  const cores = availableParallelism()
  return {
    threads: Array.from({ length: 2 * Math.min(cores, 4) }, (_, index) => index + 1),
    intraOpThreads: cores > 1 ? [1, 2] : [1],
    batch: [1, 2, 4],
    trainerThreads: batchSize === undefined ? [] : cores > 1 ? [1, 2] : [1],
    microBatch: batchSize === undefined ? [] : [4, 2, 1].map(parts => Math.ceil(batchSize / parts)),
  }
}

/** A few points, for a try of the program. */
export const fewPoints: SearchSpace = {
  threads: [1, 2],
  intraOpThreads: [1],
  batch: [1, 2],
  trainerThreads: [1],
  microBatch: [16],
}

/** The functions of the folder, under load as in the command. `scratch` is kept as long as the workload. */
export function workloadOf(functions: string, scratch: string): Promise<Workload> {
  const config = readConfig({ functions, data: join(scratch, 'data'), profiles: join(scratch, 'profiles') })
  return prepareWorkload(config, scratch, undefined)
}

export const shippedFunctions = join(packageRoot, 'functions')

export const bounds: ProfileOptions['goal']['bounds'] = {
  latency: { ratio: 1.5 },
  percentile: 'p95',
  memoryBudgetBytes: memoryBudgetBytes(),
  maxEpochStretch: 2,
}

/** Shorter than the command's: a grid has many points. */
export const gridWindows = { warmUpMs: 200, windowMs: 300 }

/** What measuring the workload takes, in the suite's windows. */
export function measureOptions({ key, load, mix, training, startTraining }: Workload) {
  return {
    ...{ key, load, mix, startTraining, ...gridWindows },
    trained: training?.function,
    clock: systemClock,
    measure: measurePoint,
    readDevice: readDeviceMemory,
  }
}

export function profileOf(
  workload: Workload,
  space: SearchSpace,
  mode: ProfileOptions['mode'],
  onPoint: NonNullable<ProfileOptions['onPoint']>,
): Promise<Profile> {
  return profileBox({
    ...measureOptions(workload),
    goal: { objective: 'throughput', bounds },
    ...{ space, mode, onPoint, curves: false },
  })
}
