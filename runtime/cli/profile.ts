/** `corun profile`: measures this box with the functions that are here, and writes the profile that `serve` uses. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ArgsDef } from 'citty'
import { systemClock } from '../core/clock.ts'
import type { Config } from '../core/config.ts'
import { cores } from '../device/cores.ts'
import { readDeviceMemory } from '../device/device-memory.ts'
import { memoryBudgetBytes } from '../device/memory.ts'
import { threadsFor } from '../device/session.ts'
import { readTraffic } from '../observe/traffic.ts'
import { openCheckpoint } from '../profiling/checkpoint.ts'
import { measurePoint } from '../profiling/measure-point.ts'
import type { MeasuredPoint, Profile } from '../profiling/profile.ts'
import { describePoint, type ProfileOptions, profileBox } from '../profiling/profile-box.ts'
import { loadText, profileTable } from '../profiling/profile-table.ts'
import { spaceOf } from '../profiling/space.ts'
import { writeProfile } from '../profiling/store.ts'
import { type ArgValues, command } from './command.ts'
import {
  latencyBound,
  mixOf,
  objectiveOf,
  percentileOf,
  positive,
  timeBudget,
  wholeNumber,
} from './profile-options.ts'
import { prepareWorkload, type Workload } from './profile-workload.ts'
import { openProgress } from './progress.ts'

const text = (description: string, valueHint: string) => ({ type: 'string', description, valueHint }) as const

const profileArgs = {
  objective: text(
    'What is sought within the bounds: throughput, latency or training (default throughput)',
    'name',
  ),
  'latency-bound': text(
    'What latency may grow to: 1.5x of one inference alone, or 50ms (default 1.5x)',
    'bound',
  ),
  percentile: text('Of latency, that the bound is of: 50, 95 or 99 (default 95)', 'number'),
  'max-epoch-stretch': text(
    'What an epoch may take beside the expected load, of one alone (default 2)',
    'ratio',
  ),
  mix: text(
    'Functions under load and their shares, such as scene=3,ocr=1 (default: all, as the server was asked of late, else in equal shares)',
    'shares',
  ),
  rate: text(
    'The load that is expected, in requests a second: the chosen points are measured beside it, and what it leaves of an epoch is held against its bound (default a quarter of what is served alone)',
    'number',
  ),
  exhaustive: { type: 'boolean', description: 'Measure every point of the grid' },
  budget: text('Begin nothing after this time, such as 3m, and say what was left out', 'time'),
  window: text('Length of a window; a point has three that agree, at most six (default 500)', 'ms'),
  'max-batch': text('Most requests to try as one batch (default 16)', 'number'),
  'max-threads': text('Most threads to try (default twice the cores)', 'number'),
} satisfies ArgsDef

type Asked = Pick<ProfileOptions, 'goal' | 'mode' | 'budgetMs' | 'windowMs'> & {
  maxThreads: number
  maxBatch: number
  mix: Map<string, number> | undefined
}

export default command({
  name: 'profile',
  description: 'Measure how many inferences run at once on this box, alone and beside training',
  args: profileArgs,
  async run({ config, json, args }) {
    const asked = readArgs(config, args)
    // Measured in a data directory of its own: a server may hold the real one, and the speed of a model does not
    // depend on which of its versions is current.
    const scratch = await mkdtemp(join(tmpdir(), 'corun-profile-'))
    try {
      const workload = await prepareWorkload(
        config,
        scratch,
        asked.mix,
        await readTraffic(config.data, Date.now()),
      )
      const { profile, file } = await measureAndWrite(config, workload, asked)
      process.stdout.write(json ? `${JSON.stringify(profile)}\n` : `\n${profileTable(profile)}\n\n${file}\n`)
      return 0
    } finally {
      await rm(scratch, { recursive: true, force: true })
    }
  },
})

function readArgs(config: Config, args: ArgValues): Asked {
  const coreCount = cores()
  return {
    goal: {
      objective: objectiveOf(args.objective),
      bounds: {
        latency: latencyBound(args['latency-bound']),
        percentile: percentileOf(args.percentile),
        memoryBudgetBytes: config.memoryBudget ?? memoryBudgetBytes(),
        maxEpochStretch: positive('max-epoch-stretch', args['max-epoch-stretch'], 2),
        rate: args.rate === undefined ? null : positive('rate', args.rate, 1),
      },
    },
    mode: args.exhaustive === true ? 'exhaustive' : 'quick',
    budgetMs: timeBudget(args.budget),
    windowMs: positive('window', args.window, 500),
    maxThreads: wholeNumber('max-threads', args['max-threads'], 2 * coreCount),
    maxBatch: wholeNumber('max-batch', args['max-batch'], 16),
    mix: mixOf(args.mix),
  }
}

/** Of a window: enough for every thread to have run once or twice. */
const warmUpShare = 0.5

async function measureAndWrite(
  config: Config,
  workload: Workload,
  { maxThreads, maxBatch, mix: _, ...asked }: Asked,
): Promise<{ profile: Profile; file: string }> {
  const { key, load, mix: source, provider, training, startTraining } = workload
  const space = spaceOf({
    ...{ cores: cores(), maxThreads, maxBatch },
    providerThreads: threadsFor(provider, maxThreads),
    batchSize: training?.batchSize,
    intraOp: provider === 'cpu',
  })
  const { goal, mode, windowMs } = asked
  const workloadShares = Object.fromEntries(load.map(({ deployment, share }) => [deployment.function, share]))
  const checkpoint = await openCheckpoint(config.profiles, {
    ...{ key, workload: workloadShares, goal, space, mode, windowMs },
  })
  const progress = openProgress(process.stderr)
  const startedAt = performance.now()
  progress.say(`measuring ${loadText({ workload: workloadShares, mix: source })} on ${provider}`)
  const { known } = checkpoint
  if (known) progress.say(`  ${known.points.length} points are known from a profile that was interrupted`)
  const knownPoints = known?.points.length ?? 0
  try {
    const profile = await profileBox({
      ...asked,
      ...{ key, load, mix: source, space, known, startTraining },
      warmUpMs: windowMs * warmUpShare,
      trained: training?.function,
      clock: systemClock,
      measure: measurePoint,
      readDevice: readDeviceMemory,
      async onPoint(point, measured, { measured: done, most }) {
        await checkpoint.save(measured)
        progress.say(`  ${pointLine(point)}`)
        const elapsedMs = performance.now() - startedAt
        progress.update({ done: done - knownPoints, most: most - knownPoints, elapsedMs })
      },
    })
    const file = await writeProfile(config.profiles, profile)
    await checkpoint.remove()
    return { profile, file }
  } finally {
    progress.close()
  }
}

function pointLine(point: MeasuredPoint): string {
  const { fits, stable, throughput, latencyMs, trainingStepsPerSecond, rate } = point
  const what = `${describePoint(point)}${rate === null ? '' : ` at ${rate}/s`}`
  if (!fits) return `${what}: memory ran out`
  const steps = trainingStepsPerSecond === null ? '' : `, ${trainingStepsPerSecond.toFixed(1)} steps/s`
  return `${what}: ${throughput.toFixed(0)}/s, p95 ${latencyMs.p95.toFixed(1)} ms${steps}${stable ? '' : ' (unstable)'}`
}
