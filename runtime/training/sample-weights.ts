/** How much each picture counts in the loss, and how sure its targets are. Pure. */
import type { CheckedRetraining } from '../core/definition-schema.ts'
import { CorunError } from '../core/errors.ts'
import type { LabelledFile } from '../core/trainer-messages.ts'

/**
 * A weight for each label. `balanced`: N / (K n), where n of the N pictures that an epoch shows have the label, and K labels
 * are there at all; so every class counts the same, and a picture 1 on average.
 *
 * @param replay reference pictures an epoch, as a share of the samples
 * @throws CorunError `invalid-definition` when a weight is given for what is no label
 */
export function classWeights(
  wanted: CheckedRetraining['classWeights'],
  { training, replay }: { training: readonly LabelledFile[]; replay: readonly LabelledFile[] },
  labels: readonly string[],
  replayShare: number,
): (label: string) => number {
  if (wanted === undefined) return () => 1
  if (wanted !== 'balanced') {
    const stranger = Object.keys(wanted).find(label => !labels.includes(label))
    if (stranger !== undefined) {
      throw new CorunError(
        'invalid-definition',
        `classWeights: "${stranger}" is no label; expected labels among ${labels.join(', ')}`,
      )
    }
    return label => (Object.hasOwn(wanted, label) ? (wanted[label] ?? 1) : 1)
  }
  // Of the reference pictures an epoch shows a part, drawn evenly.
  const drawn = replay.length === 0 ? 0 : Math.min(1, (training.length * replayShare) / replay.length)
  const counts = new Map<string, number>()
  for (const { label } of training) counts.set(label, (counts.get(label) ?? 0) + 1)
  for (const { label } of replay) counts.set(label, (counts.get(label) ?? 0) + drawn)
  const shown = training.length + drawn * replay.length
  return label => {
    const count = counts.get(label) ?? 0
    return count === 0 ? 1 : shown / (counts.size * count)
  }
}

/**
 * Targets that leave some doubt: `share` of their weight goes to all labels alike (Szegedy et al. 2016, "Rethinking the
 * Inception Architecture"). For yes and no each target moves towards a half.
 */
export function smoothTargets(
  targets: Float32Array,
  share: number,
  loss: CheckedRetraining['loss'],
): Float32Array {
  if (share === 0 || loss === 'mean-squared-error') return targets
  const doubt = loss === 'softmax-cross-entropy' ? share / targets.length : share / 2
  return targets.map(target => target * (1 - share) + doubt)
}
