// How much of a drift's damage retraining repairs, and what it forgets: the shipped text-orientation function, 200
// labelled pictures of each drift, judged on pictures whose words were never trained on. Needs a built dist/.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DriftName, driftNames } from '../pictures/drift.ts'
import type { SuiteOptions, SuiteResult } from './bench.ts'
import { driftFigures, recoveredFigure, recovery, type Trial } from './learning-figures.ts'
import { openTarget } from './learning-target.ts'
import { runTrial } from './learning-trial.ts'

const full = { drifts: driftNames, seeds: [1, 2, 3], labels: 200, heldOut: 400 }
const short = { drifts: driftNames.slice(0, 1), seeds: [1], labels: 32, heldOut: 40 }

export async function learningSuite({ quick, say }: SuiteOptions): Promise<SuiteResult> {
  const { drifts, seeds, labels, heldOut } = quick ? short : full
  const scratch = await mkdtemp(join(tmpdir(), 'corun-learning-'))
  try {
    const target = await openTarget('text-orientation', join(scratch, 'build'))
    const trials = new Map<DriftName, Trial[]>(drifts.map(drift => [drift, []]))
    // Seed by seed, so that a slow minute of the machine does not fall on one drift alone.
    for (const seed of seeds) {
      for (const [drift, rounds] of trials) {
        const folder = join(scratch, `${drift}-${seed}`)
        const trial = await runTrial({ target, folder, drift, seed, labels, heldOut })
        rounds.push(trial)
        say(`${drift}, seed ${seed}: ${summary(trial)}`)
        await rm(folder, { recursive: true })
      }
    }
    const figures = [...trials].flatMap(([drift, rounds]) => driftFigures(drift, rounds, quick))
    return { figures: [...figures, recoveredFigure(trials, quick)], left: [] }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

function summary(trial: Trial): string {
  const { before, after, cleanBefore, cleanAfter, seconds } = trial
  const change = (from: number, to: number) => `${from.toFixed(3)} -> ${to.toFixed(3)}`
  return `${change(before, after)} (recovery ${recovery(trial).toFixed(2)}), clean ${change(cleanBefore, cleanAfter)}, ${seconds.toFixed(1)} s`
}
