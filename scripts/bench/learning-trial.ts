// One retraining in the real trainer process, at the bench's own priority and with nothing beside it.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TrainerJob } from '../../runtime/core/trainer-messages.ts'
import { startTraining } from '../../runtime/retraining/training-process.ts'
import { createTrainerLauncher } from '../../runtime/training/launch.ts'
import type { Trial } from './learning-figures.ts'
import { makeJob, type TrialOptions } from './learning-job.ts'

export async function runTrial(options: TrialOptions): Promise<Trial> {
  return train(await makeJob(options), options.folder)
}

/** Runs a job to its end; `folder` is its own. */
export async function train(job: TrainerJob, folder: string): Promise<Trial> {
  const jobFile = join(folder, 'job.json')
  await writeFile(jobFile, JSON.stringify(job))
  const launch = createTrainerLauncher((command, args) => ({ command, args }))
  const startedAt = performance.now()
  let seconds = Number.NaN
  const trainer = startTraining(launch, jobFile, ({ type }) => {
    if (type === 'evaluating') seconds = (performance.now() - startedAt) / 1000
  })
  const outcome = await trainer.outcome
  if (outcome.type === 'failed') throw outcome.error
  if (outcome.type === 'stopped') throw new Error(`the trainer stopped on its own: ${jobFile}`)
  const { before, after } = outcome.done
  // Null only without pictures: NaN holds no bound.
  const accuracy = (value: number | null) => value ?? Number.NaN
  return {
    before: accuracy(before.heldOut.accuracy),
    after: accuracy(after.heldOut.accuracy),
    cleanBefore: accuracy(before.reference.accuracy),
    cleanAfter: accuracy(after.reference.accuracy),
    seconds,
  }
}
