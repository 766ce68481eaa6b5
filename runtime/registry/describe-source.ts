/** From a function's source to what would serve: built, described in a thread, its models found. Loads nothing. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { DeployedRetraining, Deployment } from '../core/deployment.ts'
import { CorunError, deserializeError, type SerializedError } from '../core/errors.ts'
import type { Pool } from '../pool/pool.ts'
import { buildModule } from './build.ts'
import type { FunctionSource } from './discover.ts'
import { deploymentId } from './entry.ts'
import { type ModelSource, resolveModels } from './resolve-models.ts'

export interface DescribeContext {
  /** Where bundles are kept. */
  builds: string
  /** Where models that were made from others are kept. */
  imports: string
  /** Where functions keep data of their own, a folder each. */
  ownData: string
  pool: Pick<Pool, 'run'>
  models: ModelSource
  /** Told of every file that the result depends on, as soon as it is known. */
  onFile(path: string): void
  /** Told of every bundle as soon as it is on disk; of each stem only the last is still needed. */
  onBundle(stem: string, bundle: string): void
  /** Told when a stage has ended. */
  onStage(stage: 'build' | 'describe' | 'models'): void
}

type BuildContext = Pick<DescribeContext, 'builds' | 'onFile' | 'onBundle'>

export async function describeSource(
  { name, file, folder }: FunctionSource,
  context: DescribeContext,
): Promise<Deployment> {
  const { imports, ownData, pool, models, onFile, onStage } = context
  onFile(file)
  const bundle = await built(file, name, context)
  onStage('build')
  const reply = await pool.run<'describe'>({ type: 'describe', function: name, bundle: bundle.file })
  if (!reply.ok) throw await placed(reply.error, file)
  onStage('describe')
  const resolved = await resolveModels(name, folder, reply.result.models, models, { imports, onFile })
  onStage('models')
  return {
    id: deploymentId(bundle.hash, resolved),
    function: name,
    bundle: bundle.file,
    bundleHash: bundle.hash,
    description: reply.result,
    models: resolved,
    dataFolder: resolve(ownData, name),
  }
}

/** What the bundles of its retraining are named by; those of the function itself are named by its name. */
export const retrainingStem = (name: string) => `${name}.retrain`

export async function describeRetraining(
  { name, folder }: FunctionSource,
  file: string,
  { models }: Pick<Deployment, 'models'>,
  context: BuildContext & Pick<DescribeContext, 'pool'>,
): Promise<DeployedRetraining> {
  context.onFile(file)
  const bundle = await built(file, retrainingStem(name), context)
  const reply = await context.pool.run<'describe-retraining'>({
    type: 'describe-retraining',
    function: name,
    bundle: bundle.file,
  })
  if (!reply.ok) throw await placed(reply.error, file)
  const { model } = reply.result
  if (!Object.hasOwn(models, model) || models[model]?.labels.length === 0) {
    const known = Object.keys(models).filter(key => models[key]?.labels.length !== 0)
    const message = `retraining of "${name}": model: "${model}" is none of the function's models with labels: ${known.join(', ') || 'it has none'}`
    throw await placed({ code: 'invalid-definition', message }, file)
  }
  return { function: name, bundle: bundle.file, folder, description: reply.result }
}

async function built(file: string, stem: string, { builds, onFile, onBundle }: BuildContext) {
  try {
    const bundle = await buildModule(file, builds, stem)
    onBundle(stem, bundle.file)
    bundle.inputs.forEach(onFile)
    return bundle
  } catch (error) {
    // A module that is imported may be the one that does not build.
    const culprit = error instanceof CorunError ? error.details?.file : undefined
    if (typeof culprit === 'string') onFile(culprit)
    throw error
  }
}

/** An error that names no line is about the definition: that is where the module exports it. */
async function placed(error: SerializedError, file: string): Promise<CorunError> {
  if (error.details?.file !== undefined) return deserializeError(error)
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n')
  const line = lines.findIndex(text => /^\s*(?:export\s+default\b|module\.exports\b)/.test(text)) + 1
  const place = line > 0 ? { file, line } : { file }
  return deserializeError({ ...error, details: { ...error.details, ...place } })
}
