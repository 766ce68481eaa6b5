/** A function as it would be with another version of one of its models. */
import type { Deployment } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import { deploymentId, type FunctionEntry } from './entry.ts'
import { describeModel, type ModelVersion } from './resolve-models.ts'

/** Throws `unknown-model` when no function that serves has the model. */
export async function withVersion(
  entries: Iterable<FunctionEntry>,
  modelId: string,
  version: ModelVersion,
): Promise<{ entry: FunctionEntry; next: Deployment }> {
  for (const entry of entries) {
    const { deployment: old } = entry
    const found = Object.entries(old?.models ?? {}).find(([, { id }]) => id === modelId)
    if (old === undefined || found === undefined) continue
    const models = { ...old.models, [found[0]]: await describeModel(modelId, version) }
    return { entry, next: { ...old, models, id: deploymentId(old.bundleHash, models) } }
  }
  throw new CorunError('unknown-model', `no function that serves has a model "${modelId}"`)
}
