/** `corun profile`: measures this box with the functions that are here, and writes the profile that `serve` uses. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { systemClock } from '../core/clock.ts'
import { type Config, type Provider, safeOperatingPoints } from '../core/config.ts'
import type { DeployedRetraining } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import { memoryBudgetBytes } from '../device/memory.ts'
import { threadsFor } from '../device/session.ts'
import { createLogger } from '../observe/log.ts'
import { openCheckpoint } from '../profiling/checkpoint.ts'
import { loadPictures } from '../profiling/load-pictures.ts'
import { measurePoint } from '../profiling/measure-point.ts'
import type { ProbeJob } from '../profiling/probe-job.ts'
import type { MeasuredPoint } from '../profiling/profile.ts'
import { profileBox } from '../profiling/profile-box.ts'
import { profileTable } from '../profiling/profile-table.ts'
import { writeProfile } from '../profiling/store.ts'
import { startTrainingLoop } from '../profiling/training-loop.ts'
import { prepareLoopJob } from '../retraining/prepare-job.ts'
import { command } from './command.ts'
import { lowPriorityLauncher, openSystem, type System, trainerThreads } from './system.ts'

export default command({
  name: 'profile',
  description: 'Measure how many inferences run at once on this box, alone and beside training',
  args: {
    'latency-ratio': {
      type: 'string',
      description: 'p95 may grow to this multiple of one inference alone (default 1.5)',
      valueHint: 'ratio',
    },
    window: {
      type: 'string',
      description: 'Length of a window; a point has three that agree, at most eight (default 1000)',
      valueHint: 'ms',
    },
    'max-batch': {
      type: 'string',
      description: 'Most requests to try as one batch (default 16)',
      valueHint: 'number',
    },
    'max-threads': {
      type: 'string',
      description: 'Most to try (default twice the cores)',
      valueHint: 'number',
    },
  },
  async run({ config, json, args }) {
    const say = (text: string) => process.stderr.write(`${text}\n`)
    const cores = safeOperatingPoints().alone.threads
    const bounds = {
      latencyRatio: positive('latency-ratio', args['latency-ratio'], 1.5),
      memoryBudgetBytes: config.memoryBudget ?? memoryBudgetBytes(),
      maxThreads: Math.round(positive('max-threads', args['max-threads'], 2 * cores)),
      maxBatch: Math.round(positive('max-batch', args['max-batch'], 16)),
    }
    const windowMs = positive('window', args.window, 1000)
    // Measured in a data directory of its own: a server may hold the real one, and the speed of a model does not
    // depend on which of its versions is current.
    const scratch = await mkdtemp(join(tmpdir(), 'corun-profile-'))
    try {
      const workload = await prepareWorkload(config, scratch)
      say(`measuring ${workload.load.map(({ deployment }) => deployment.function).join(', ')}`)
      const limits = { ...bounds, maxThreads: threadsFor(workload.provider, bounds.maxThreads) }
      const functions = workload.load.map(({ deployment }) => deployment.function)
      const checkpoint = await openCheckpoint(config.profiles, {
        ...{ key: workload.key, functions, windowMs },
        bounds: limits,
      })
      const { known } = checkpoint
      if (known) say(`  ${known.points.length} points are known from a profile that was interrupted`)
      const profile = await profileBox({
        ...workload,
        bounds: limits,
        known,
        windowMs,
        clock: systemClock,
        measure: measurePoint,
        async onPoint(point, measured) {
          say(`  ${pointLine(point)}`)
          await checkpoint.save(measured)
        },
      })
      const file = await writeProfile(config.profiles, profile)
      await checkpoint.remove()
      process.stdout.write(json ? `${JSON.stringify(profile)}\n` : `\n${profileTable(profile)}\n\n${file}\n`)
      return 0
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  },
})

function pointLine({ threads, batch, training, fits, stable, throughput, latencyMs }: MeasuredPoint): string {
  const what = `${threads} at once${batch > 1 ? ` in batches of ${batch}` : ''} ${training ? 'beside training' : 'alone'}`
  if (!fits) return `${what}: memory ran out`
  return `${what}: ${throughput.toFixed(0)}/s, p95 ${latencyMs.p95.toFixed(1)} ms${stable ? '' : ' (unstable)'}`
}

function positive(name: string, value: unknown, fallback: number): number {
  if (value === undefined || value === '') return fallback
  const number = Number(value)
  if (Number.isFinite(number) && number > 0) return number
  throw new CorunError('invalid-config', `--${name} is "${value}"; expected a number above 0`)
}

type Workload = Pick<Parameters<typeof profileBox>[0], 'key' | 'load' | 'startTraining'> & {
  provider: Provider
}

/** Deploys the functions once to learn what there is to measure; the probes load them for themselves. */
async function prepareWorkload(config: Config, scratch: string): Promise<Workload> {
  const system = await openSystem({ ...config, data: join(scratch, 'data') }, createLogger('warn'))
  try {
    await system.start()
    const load = await loadOf(system, scratch)
    if (load.length === 0) {
      throw new CorunError(
        'probe-failed',
        `no function in ${config.functions} takes pictures and has a model`,
      )
    }
    return {
      provider: system.provider,
      key: system.profileKey(),
      load,
      startTraining: await trainingOf(system, scratch),
    }
  } finally {
    await system.close()
  }
}

/** Functions that take pictures and run a model: those whose concurrency is in question. */
async function loadOf({ registry }: System, scratch: string): Promise<ProbeJob['load']> {
  const load: ProbeJob['load'] = []
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
async function trainingOf(system: System, scratch: string): Promise<Workload['startTraining']> {
  const folder = join(scratch, 'loop')
  await mkdir(folder, { recursive: true })
  const settings = {
    candidateFile: join(folder, 'candidate.onnx'),
    provider: system.provider,
    threads: trainerThreads(safeOperatingPoints()),
  }
  for (const { name, deployment, retraining } of system.registry.list()) {
    if (deployment === undefined || retraining === undefined) continue
    const job = await prepareLoopJob({ name, deployment, retraining }, system.samples, settings)
    if (job === undefined) continue
    const jobFile = join(folder, 'job.json')
    await writeFile(jobFile, JSON.stringify(job))
    return () => startTrainingLoop(lowPriorityLauncher(), jobFile)
  }
  return undefined
}
