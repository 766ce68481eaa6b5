/** The features of a model, made visible to Corun and to no handler. */
import { readFile, stat } from 'node:fs/promises'
import type { Tensor } from 'onnxruntime-node'
import type { DeployedModel } from '../core/deployment.ts'
import { exposeFeatures } from '../onnx/index.ts'
import type { HiddenOutput } from './model-handle.ts'

export interface FeatureTap {
  /** The model with its features as an output. */
  bytes: Uint8Array
  /** Undefined when the features are one of the model's own outputs. */
  hidden: HiddenOutput | undefined
  /** By the outputs that a handler got. */
  of(outputs: object): Tensor | undefined
  /** The features lie along the second axis, not the last. */
  pooled: boolean
}

/** A larger file is served as it is: it is rewritten in memory, in each thread. */
const mostBytes = 256 * 2 ** 20

/** Undefined for a model that has none to show. */
export async function tapFeatures({ file, outputs }: DeployedModel): Promise<FeatureTap | undefined> {
  if ((await stat(file)).size > mostBytes) return undefined
  const exposed = exposeFeatures(await readFile(file))
  if (exposed === undefined) return undefined
  const { bytes, output: name, pooled } = exposed
  if (outputs.some(output => output.name === name)) {
    return { bytes, hidden: undefined, of: found => (found as Record<string, Tensor>)[name], pooled }
  }
  const values = new WeakMap<object, Tensor>()
  return { bytes, hidden: { name, values }, of: found => values.get(found), pooled }
}
