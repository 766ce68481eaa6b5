/** What `corun profile` measures: the functions that are here under load, and the training beside which they run. */
import { mkdir, writeFile } from 'node:fs/promises'
import { isAbsolute, join } from 'node:path'
import { type Config, type Provider, safeOperatingPoints } from '../core/config.ts'
import type { DeployedRetraining } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import { cores } from '../device/cores.ts'
import { createLogger } from '../observe/log.ts'
import { loadPictures } from '../profiling/load-pictures.ts'
import type { ProbeJob } from '../profiling/probe-job.ts'
import type { MixSource, ProfileKey } from '../profiling/profile.ts'
import { startTrainingLoop, type TrainerSetting, type TrainingLoop } from '../profiling/training-loop.ts'
import { prepareLoopJob } from '../retraining/prepare-job.ts'
import { openSystem, type System } from './system.ts'
import { lowPriorityLauncher, mustAsk, trainerPriority, trainerThreads } from './trainer-settings.ts'

export interface Workload {
  provider: Provider
  key: ProfileKey
  load: ProbeJob['load']
  mix: MixSource
  /** Undefined where nothing can be trained. */
  training: { function: string; batchSize: number } | undefined
  startTraining(setting: TrainerSetting): Promise<TrainingLoop | undefined>
}

/**
 * Deploys the functions once to learn what there is to measure; the probes load them for themselves. `mix`: shares of
 * those under load; undefined: of all, as `observed` (requests of each) has them, else equal ones.
 */
export async function prepareWorkload(
  config: Config,
  scratch: string,
  mix: ReadonlyMap<string, number> | undefined,
  observed: ReadonlyMap<string, number> = new Map(),
): Promise<Workload> {
  const system = await openSystem({ ...config, data: join(scratch, 'data') }, createLogger('warn'))
  try {
    await system.start()
    const found = await loadOf(system, scratch)
    if (found.length === 0) {
      throw new CorunError(
        'probe-failed',
        `no function in ${config.functions} takes pictures and has a model`,
      )
    }
    const names = found.map(({ deployment }) => deployment.function)
    const { shares, source } = sharesOf(names, mix, observed)
    const load = found.flatMap(item => {
      const share = shares.get(item.deployment.function)
      return share === undefined ? [] : [{ ...item, share }]
    })
    return {
      provider: system.provider,
      key: system.profileKey(),
      load,
      mix: source,
      ...(await trainingOf(config, system, scratch)),
    }
  } finally {
    await system.close()
  }
}

/**
 * Shares that sum up to 1, and where they are from. Traffic that was observed leaves nobody out, and is taken in whole
 * percents: a profile that was interrupted meets the same mix again. Throws `invalid-config` for a function in `mix`
 * that cannot be measured.
 */
export function sharesOf(
  names: readonly string[],
  mix: ReadonlyMap<string, number> | undefined,
  observed: ReadonlyMap<string, number>,
): { shares: Map<string, number>; source: MixSource } {
  for (const name of mix?.keys() ?? []) {
    if (names.includes(name)) continue
    throw new CorunError(
      'invalid-config',
      `--mix names "${name}"; expected functions that take pictures and have a model: ${names.join(', ')}`,
    )
  }
  const asked = sumOf(names.map(name => observed.get(name) ?? 0))
  const percents = names.map(
    name => [name, Math.max(1, Math.round((100 * (observed.get(name) ?? 0)) / asked))] as const,
  )
  const [source, weights]: [MixSource, ReadonlyMap<string, number>] =
    mix !== undefined
      ? ['asked', mix]
      : asked > 0
        ? ['observed', new Map(percents)]
        : ['equal', new Map(names.map(name => [name, 1]))]
  const total = sumOf([...weights.values()])
  return { shares: new Map([...weights].map(([name, weight]) => [name, weight / total])), source }
}

const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0)

/** Functions that take pictures and run a model: those whose concurrency is in question. */
async function loadOf(
  { registry }: System,
  scratch: string,
): Promise<Omit<ProbeJob['load'][number], 'share'>[]> {
  const load: Omit<ProbeJob['load'][number], 'share'>[] = []
  for (const { deployment, retraining } of registry.list()) {
    if (deployment?.description.input.kind !== 'image' || Object.keys(deployment.models).length === 0)
      continue
    const bodies = await loadPictures(referenceFolder(retraining), scratch)
    load.push({ deployment, contentType: 'image/jpeg', bodies })
  }
  return load
}

function referenceFolder(retraining: DeployedRetraining | undefined): string | undefined {
  const reference = retraining?.description.reference
  if (retraining === undefined || reference === undefined) return undefined
  return isAbsolute(reference) ? reference : join(retraining.folder, reference)
}

/** The first function with a retraining and pictures to train on is the load beside which is measured. */
async function trainingOf(
  config: Config,
  system: System,
  scratch: string,
): Promise<Pick<Workload, 'training' | 'startTraining'>> {
  const folder = join(scratch, 'loop')
  await mkdir(folder, { recursive: true })
  const priority = trainerPriority(config, cores())
  const asks = mustAsk(system.provider, priority)
  const settings = {
    candidateFile: join(folder, 'candidate.onnx'),
    provider: system.provider,
    threads: trainerThreads(safeOperatingPoints(cores())),
  }
  for (const { name, deployment, retraining } of system.registry.list()) {
    if (deployment === undefined || retraining === undefined) continue
    const job = await prepareLoopJob({ name, deployment, retraining }, system.samples, settings)
    if (job === undefined) continue
    return {
      training: { function: name, batchSize: retraining.description.batchSize },
      async startTraining(setting) {
        const jobFile = join(folder, 'job.json')
        await writeFile(jobFile, JSON.stringify({ ...job, ...setting }))
        return startTrainingLoop({
          ...{ launch: lowPriorityLauncher(priority), jobFile, now: () => performance.now() },
          yields: asks ? undefined : { threads: setting.threads, share: config.trainingShare, priority },
        })
      },
    }
  }
  return {
    training: undefined,
    startTraining: async () => {
      throw new CorunError('probe-failed', 'no function has a retraining and pictures to train on')
    },
  }
}
