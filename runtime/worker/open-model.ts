/** A session of a deployment's model, in the form that was found for it; when that cannot be opened, the plain one. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { InferenceSession } from 'onnxruntime-node'
import type { DeployedModel } from '../core/deployment.ts'
import type { ThreadSettings } from '../core/messages.ts'
import { openOptimized, openSession, optimizedFiles } from '../device/session.ts'
import type { Logger } from '../observe/log.ts'
import { exposeModel, type FeatureTap, tapFeatures } from './feature-tap.ts'

export interface OpenModel {
  session: InferenceSession
  /** Where the model is watched and shows its features. */
  tap: FeatureTap | undefined
}

export interface OpenOptions {
  settings: ThreadSettings
  log: Logger
  watching: boolean
  inEngine<Result>(work: () => Promise<Result>): Promise<Result>
}

export async function openModel(model: DeployedModel, options: OpenOptions): Promise<OpenModel> {
  const { settings, log, watching, inEngine } = options
  const shared = await openShared(model, options).catch(error => {
    log.warn({ model: model.id, err: error }, 'its shared form cannot be opened; the plain one is')
  })
  if (shared !== undefined) return shared
  const exposed = watching ? await exposeModel(model) : undefined
  const session = await inEngine(() => openSession(exposed?.bytes ?? model.file, settings))
  return { session, tap: exposed && tapFeatures(model, exposed) }
}

async function openShared(
  model: DeployedModel,
  { settings, watching, inEngine }: OpenOptions,
): Promise<OpenModel | undefined> {
  const { folder, weightBytes, features } = model.prepared ?? {}
  if (folder === undefined) return undefined
  // To read behind the end of a mapped file ends the process.
  const { size } = await stat(join(folder, optimizedFiles.weights))
  if (size !== weightBytes) throw new Error(`it has ${size} bytes of weights; expected ${weightBytes}`)
  const session = await inEngine(() => openOptimized(folder, settings))
  return { session, tap: watching && features !== undefined ? tapFeatures(model, features) : undefined }
}
