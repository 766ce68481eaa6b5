// How much of a drift's damage retraining repairs, and what it forgets: the shipped functions that learn, five drifts of
// each, judged on pictures that share nothing with those that taught. Needs a built dist/.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Subject, subjects } from '../pictures/subject.ts'
import type { SuiteOptions, SuiteResult } from './bench.ts'
import { type Figure, figure } from './figures.ts'
import { type Bars, driftFigures, recoveredFigure, recovery, type Trial } from './learning-figures.ts'
import { openTarget } from './learning-target.ts'
import { runTrial } from './learning-trial.ts'

interface Course {
  subject: Subject
  /** Labelled pictures of a drift; all of them are trained on. */
  labels: number
  /** Pictures that judge: drifted ones, and as many clean ones. */
  heldOut: number
  bars: Bars
}

/**
 * A bar that is missed is shown, not moved. Those of text come from a PyTorch fine-tune of all parameters of the same
 * model: 200 labels, 8 epochs (Adam 1e-3, batch-norm statistics frozen, clean lines replayed).
 */
const courses: Course[] = [
  {
    subject: subjects.scene(),
    labels: 400,
    heldOut: 180,
    bars: { clean: 0.9 },
  },
  {
    subject: subjects.text(),
    labels: 200,
    heldOut: 400,
    bars: {
      after: { 'low-light': 0.9, blur: 0.948, 'low-contrast': 0.963, stripes: 0.952, handwriting: 0.965 },
      clean: 0.968,
    },
  },
]
const fullSeeds = [1, 2, 3]

export async function learningSuite({ quick, say }: SuiteOptions): Promise<SuiteResult> {
  const scratch = await mkdtemp(join(tmpdir(), 'corun-learning-'))
  try {
    const figures: Figure[] = []
    for (const course of courses) figures.push(...(await follow(course, { scratch, quick, say })))
    return { figures, left: [] }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function follow(
  { subject, bars, ...full }: Course,
  { scratch, quick, say }: SuiteOptions & { scratch: string },
): Promise<Figure[]> {
  const { name } = subject
  const { labels, heldOut } = quick ? { labels: 32, heldOut: 40 } : full
  const target = await openTarget(name, join(scratch, name))
  const trials = new Map<string, Trial[]>(
    subject.drifts.slice(0, quick ? 1 : undefined).map(drift => [drift, []]),
  )
  // Seed by seed, so that a slow minute of the machine does not fall on one drift alone.
  for (const seed of quick ? fullSeeds.slice(0, 1) : fullSeeds) {
    for (const [drift, rounds] of trials) {
      const folder = join(scratch, `${name}-${drift}-${seed}`)
      const trial = await runTrial({ target, subject, folder, drift, seed, labels, heldOut })
      rounds.push(trial)
      say(`${name}, ${drift}, seed ${seed}: ${summary(trial)}`)
      await rm(folder, { recursive: true })
    }
  }
  return [
    figure(`${name}: labelled pictures of each drift`, '', [labels], { bound: null, quick }),
    ...[...trials].flatMap(([drift, rounds]) => driftFigures({ subject: name, drift }, rounds, bars, quick)),
    recoveredFigure(name, trials, quick),
  ]
}

function summary(trial: Trial): string {
  const { before, after, cleanBefore, cleanAfter, seconds } = trial
  const change = (from: number, to: number) => `${from.toFixed(3)} -> ${to.toFixed(3)}`
  return `${change(before, after)} (recovery ${recovery(trial).toFixed(2)}), clean ${change(cleanBefore, cleanAfter)}, ${seconds.toFixed(1)} s`
}
