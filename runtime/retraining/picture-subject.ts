/** What a reference of drift can be made from: the pictures that a function's retraining must not forget. */
import type { PictureSubject } from '../drift/from-pictures.ts'
import { readReference } from '../samples/reference.ts'
import { referenceFolder } from './prepare-job.ts'
import type { RetrainedFunction } from './registry.ts'

/** Undefined for a function that does not ask for it, or has no model with labels. */
export function pictureSubject({
  deployment,
  retraining,
}: Partial<RetrainedFunction> = {}): PictureSubject | undefined {
  const drift = deployment?.description.drift
  if (deployment === undefined || drift === undefined || drift === false || drift.from !== 'pictures')
    return undefined
  const labelled = Object.entries(deployment.models).filter(([, { labels }]) => labels.length > 0)
  const key = retraining?.description.model ?? labelled[0]?.[0]
  const model = labelled.find(([name]) => name === key)?.[1]
  if (model === undefined) return undefined
  return {
    deployment,
    drift,
    model: model.id,
    async files() {
      const folder = retraining && referenceFolder(retraining)
      if (retraining === undefined || folder === undefined) return []
      const { labels = [], loss } = retraining.description
      // Pictures of classes that are to come, or were, are no strangers.
      const known = new Set([...model.labels, ...(labels === 'open' ? [] : labels)])
      const { heldOut } = await readReference(folder, loss, [...known])
      return heldOut.filter(({ label }) => model.labels.includes(label)).map(({ file }) => file)
    },
  }
}
