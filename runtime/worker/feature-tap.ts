/** The features of a model, made visible to Corun and to no handler. */
import { readFile, stat } from 'node:fs/promises'
import type { Tensor } from 'onnxruntime-node'
import type { DeployedModel, Deployment, ExposedOutput } from '../core/deployment.ts'
import type { ExposedFeatures } from '../onnx/index.ts'
import type { HiddenOutput } from './model-handle.ts'

export interface FeatureTap {
  /** Undefined when the features are one of the model's own outputs. */
  hidden: HiddenOutput | undefined
  /** By the outputs that a handler got. */
  of(outputs: object): Tensor | undefined
  /** The features lie along the second axis, not the last. */
  pooled: boolean
}

/** A larger file is served as it is: it is rewritten in memory, in each thread. */
const mostBytes = 256 * 2 ** 20

/** Whether its features are wanted, as far as is known before it has run. */
export const isWatched = ({ description }: Deployment, { labels }: DeployedModel) =>
  description.drift !== false && labels.length > 0

/** The model with its features as an output. Undefined for one that has none to show. */
export async function exposeModel({ file }: DeployedModel): Promise<ExposedFeatures | undefined> {
  if ((await stat(file)).size > mostBytes) return undefined
  // Only where a model has no shared form, which shows them already.
  const { exposeFeatures } = await import('../onnx/index.ts')
  return exposeFeatures(await readFile(file))
}

export function tapFeatures({ outputs }: DeployedModel, { output: name, pooled }: ExposedOutput): FeatureTap {
  if (outputs.some(output => output.name === name)) {
    return { hidden: undefined, of: found => (found as Record<string, Tensor>)[name], pooled }
  }
  const values = new WeakMap<object, Tensor>()
  return { hidden: { name, values }, of: found => values.get(found), pooled }
}
