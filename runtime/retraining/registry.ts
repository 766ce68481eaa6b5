/** What retraining needs of the registry, as an interface: the registry is a room of its own. */
import type { DeployedRetraining, Deployment } from '../core/deployment.ts'
import type { ModelFile } from '../models/model-store.ts'

export interface RetrainedFunction {
  name: string
  deployment?: Deployment | undefined
  retraining?: DeployedRetraining | undefined
}

export interface RetrainingRegistry {
  get(name: string): RetrainedFunction | undefined
  list(): readonly RetrainedFunction[]
  /** The bundle stays on disk until the answer is called, whatever becomes of its function. */
  holdBundle(bundle: string): () => void
  /**
   * Loads and warms the version everywhere, awaits `commit`, and only then lets it take traffic. Rejects, and
   * leaves the old version serving, when loading or `commit` fails.
   */
  switchModel(modelId: string, version: ModelFile, commit: () => Promise<void>): Promise<void>
}
