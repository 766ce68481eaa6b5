/** Whether an interrupted run may go on where it was, or has to begin anew: pure. */
import type { LabelledFile, TrainerJob } from '../core/trainer-messages.ts'

export interface PresentFacts {
  /** Content hash of the version that serves. */
  current: string
  /** Built `retrain.ts`, whose name says its content. */
  bundle: string
  /** Label of each sample that is there, by its file. */
  samples: ReadonlyMap<string, string>
}

/** `job` and `parent` are of the run that was interrupted. Answers why it cannot go on; undefined: it can. */
export function whyNotGoOn(
  job: Pick<TrainerJob, 'bundle' | 'training' | 'validation' | 'heldOut'>,
  parent: string,
  { current, bundle, samples }: PresentFacts,
): string | undefined {
  if (current !== parent) return 'another version of the model serves now'
  if (bundle !== job.bundle) return 'the definition of the retraining has changed'
  // Samples that came later wait for the next run.
  const changed = ({ file, label }: LabelledFile) => samples.get(file) !== label
  const count = [...job.training, ...job.validation, ...job.heldOut].filter(changed).length
  return count === 0 ? undefined : `${count} of its samples have been removed or labelled anew`
}

/** A run that is interrupted again and again at the same place is not started for ever. */
export const mostTries = 5

/** How often in a row a run has gone on from `step`, this time included. */
export function triesAt(step: number, before: { step: number; tries: number } | null | undefined): number {
  return before?.step === step ? before.tries + 1 : 1
}
