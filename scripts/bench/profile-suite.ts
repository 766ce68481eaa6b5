// Suite `profile`: what a quick search finds and what it costs, against the whole grid of this box, and how long the
// command takes with the shipped functions. Needs a built dist/.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Workload } from '../../runtime/cli/profile-workload.ts'
import { openMeasureBox } from '../../runtime/profiling/measure-box.ts'
import type { Profile, ProfiledOperatingPoint } from '../../runtime/profiling/profile.ts'
import { describePoint } from '../../runtime/profiling/profile-box.ts'
import { isSame, type SearchPoint } from '../../runtime/profiling/space.ts'
import { runCommand } from '../demo/server-process.ts'
import type { SuiteOptions, SuiteResult } from './bench.ts'
import { type Figure, figure } from './figures.ts'
import {
  fewPoints,
  gridSpace,
  measureOptions,
  profileOf,
  shippedFunctions,
  workloadOf,
} from './profile-grid.ts'

const rounds = 5

export async function profileSuite({ quick, say }: SuiteOptions): Promise<SuiteResult> {
  const scratch = await mkdtemp(join(tmpdir(), 'corun-profile-bench-'))
  try {
    const searched = await judgeSearch(scratch, quick, say)
    const wall = await timeCommand(scratch, quick, say)
    return { figures: [...searched, wall], left: [] }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function judgeSearch(scratch: string, quick: boolean, say: SuiteOptions['say']): Promise<Figure[]> {
  const workload = await workloadOf(shippedFunctions, scratch)
  const space = quick ? fewPoints : gridSpace(workload.training?.batchSize)
  const measureAll = async (mode: 'exhaustive' | 'quick') => {
    const profile = await profileOf(workload, space, mode, (_, { points }, { most }) => {
      if (points.length % 10 === 0) say(`  ${mode}: ${points.length} of at most ${most}`)
    })
    const { seconds, measurements } = profile.search
    say(`${mode}: ${measurements} measurements in ${seconds.toFixed(0)} s`)
    return profile
  }
  const exhaustive = await measureAll('exhaustive')
  const search = await measureAll('quick')
  // As many as an exhaustive search made: what memory would not have held is no saving of the quick one.
  const share = search.search.measurements / exhaustive.search.measurements
  const figures = [figure('measurements, quick / exhaustive', 'x', [share], { bound: '<= 0.15', quick })]
  for (const name of ['alone', 'besideTraining'] as const) {
    const ratios = await compare(
      workload,
      [pointAt(search, name), pointAt(exhaustive, name)],
      quick ? 1 : rounds,
      say,
    )
    const title = name === 'alone' ? 'alone' : 'beside training'
    figures.push(
      figure(`throughput of the choice ${title}, quick / exhaustive`, 'x', ratios, {
        bound: '>= 0.95',
        quick,
      }),
    )
  }
  return figures
}

function pointAt(profile: Profile, name: 'alone' | 'besideTraining'): SearchPoint {
  const { threads, intraOpThreads, batch, trainer }: ProfiledOperatingPoint = profile[name]
  const training = trainer !== null
  return {
    ...{ threads, intraOpThreads, batch, training },
    trainerThreads: trainer?.threads ?? null,
    microBatch: trainer?.microBatch ?? null,
  }
}

/** Both choices measured anew in turn: the measurement that made one win was the luckiest, and is not counted. */
async function compare(
  workload: Workload,
  [quick, exhaustive]: readonly [SearchPoint, SearchPoint],
  times: number,
  say: SuiteOptions['say'],
): Promise<number[]> {
  say(`quick: ${describePoint(quick)}; exhaustive: ${describePoint(exhaustive)}`)
  if (isSame(quick, exhaustive)) return [1]
  const { provider } = workload
  const box = await openMeasureBox({ ...measureOptions(workload), provider, trainingAlone: null })
  try {
    const ratios: number[] = []
    for (let round = 0; round < times; round += 1) {
      const found = await box.measure(quick)
      ratios.push(found.throughput / (await box.measure(exhaustive)).throughput)
    }
    return ratios
  } finally {
    await box.close()
  }
}

/** The command as an operator runs it, from start to the written profile. */
async function timeCommand(scratch: string, quick: boolean, say: SuiteOptions['say']): Promise<Figure> {
  const folders = ['--data', join(scratch, 'data'), '--profiles', join(scratch, 'profiles')]
  const short = quick ? ['--window', '100', '--max-threads', '2', '--max-batch', '2'] : []
  const startedAt = performance.now()
  await runCommand(['profile', '--json', '--functions', shippedFunctions, ...folders, ...short], text =>
    say(text.trimEnd()),
  )
  const seconds = (performance.now() - startedAt) / 1000
  return figure('quick profile of the shipped functions', 's', [seconds], { bound: '<= 180', quick })
}
