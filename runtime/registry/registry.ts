/**
 * The functions of this box: found, built, described, loaded and warmed everywhere, and only then serving. A
 * deployment is immutable; a new version of a model makes a new one. Leaves requests to dispatch/.
 */
import { join } from 'node:path'
import { type Clock, systemClock } from '../core/clock.ts'
import type { DeployedRetraining, Deployment } from '../core/deployment.ts'
import { CorunError, deserializeError, serializeError } from '../core/errors.ts'
import type { Logger } from '../observe/log.ts'
import type { Pool } from '../pool/pool.ts'
import { buildModule } from './build.ts'
import { discoverFunctions, type FunctionSource } from './discover.ts'
import { createLeases, deploymentId, type FunctionEntry } from './entry.ts'
import { describeModel, type ModelSource, type ModelVersion, resolveModels } from './resolve-models.ts'

export type { FunctionEntry } from './entry.ts'

export interface RegistryOptions {
  functionsDir: string
  dataDir: string
  pool: Pick<Pool, 'run' | 'loadEverywhere' | 'unloadEverywhere'>
  models: ModelSource
  log: Logger
  clock?: Clock
}

/** What changes a deployment happens one after another. */
export interface Registry {
  /** Deploys every function; one that fails does not keep the others from serving. */
  start(): Promise<void>
  /**
   * Builds and deploys what the function's source is now. What goes wrong is its `lastError`, and the last good
   * deployment serves on. Throws `unknown-function` when it has no source.
   */
  deploy(name: string): Promise<FunctionEntry>
  get(name: string): FunctionEntry | undefined
  list(): FunctionEntry[]
  /** The deployment that serves now. Throws `unknown-function` or `function-unavailable`. */
  deployed(name: string): Deployment
  /** The same, kept loaded until it is released. */
  acquire(name: string): { deployment: Deployment; release(): void }
  /**
   * Loads and warms another version of a model in every thread, awaits `commit`, and only then lets it take
   * traffic. When anything fails, the old version serves on.
   */
  switchModel(modelId: string, version: ModelVersion, commit: () => Promise<void>): Promise<void>
}

export function createRegistry(options: RegistryOptions): Registry {
  const { functionsDir, dataDir, pool, models, log, clock = systemClock } = options
  const builds = join(dataDir, 'builds')
  const entries = new Map<string, FunctionEntry>()
  let lastChange: Promise<unknown> = Promise.resolve()

  const leases = createLeases(id => {
    pool
      .unloadEverywhere(id)
      .catch(error => log.warn({ deployment: id, err: error }, 'a deployment was not unloaded'))
  })

  function fail(entry: FunctionEntry, error: unknown): void {
    const { code, message } = serializeError(error, 'internal-error')
    entry.lastError = { code, message, at: new Date(clock.now()).toISOString() }
    if (entry.deployment === undefined) entry.state = 'failed'
    log.error({ function: entry.name, code, err: error }, 'a function was not deployed')
  }

  function serve(entry: FunctionEntry, deployment: Deployment): void {
    const old = entry.deployment
    entry.deployment = deployment
    entry.state = 'ready'
    log.info({ function: entry.name, version: deployment.id }, 'function is live')
    if (old !== undefined && old.id !== deployment.id) leases.giveUp(old.id)
  }

  async function describe({ name, file, folder }: FunctionSource): Promise<Deployment> {
    const bundle = await buildModule(file, builds, name)
    const reply = await pool.run<'describe'>({ type: 'describe', function: name, bundle: bundle.file })
    if (!reply.ok) throw deserializeError(reply.error)
    const resolved = await resolveModels(name, folder, reply.result.models, models, join(dataDir, 'imports'))
    return {
      id: deploymentId(bundle.hash, resolved),
      function: name,
      bundle: bundle.file,
      bundleHash: bundle.hash,
      description: reply.result,
      models: resolved,
    }
  }

  async function describeRetraining(
    { name, folder }: FunctionSource,
    file: string,
  ): Promise<DeployedRetraining> {
    const bundle = await buildModule(file, builds, `${name}-retrain`)
    const reply = await pool.run<'describe-retraining'>({
      type: 'describe-retraining',
      function: name,
      bundle: bundle.file,
    })
    if (!reply.ok) throw deserializeError(reply.error)
    return { function: name, bundle: bundle.file, folder, description: reply.result }
  }

  /** Loads it everywhere, awaits `commit`, and lets it serve; when either fails, no thread keeps it. */
  async function load(
    entry: FunctionEntry,
    deployment: Deployment,
    commit: () => Promise<void>,
  ): Promise<void> {
    // One that was given up and comes back is not to be unloaded behind this by its last lease.
    leases.want(deployment.id)
    try {
      await pool.loadEverywhere(deployment)
      await commit()
    } catch (error) {
      if (deployment.id !== entry.deployment?.id) leases.giveUp(deployment.id)
      throw error
    }
    serve(entry, deployment)
  }

  async function deploySource(source: FunctionSource): Promise<FunctionEntry> {
    const { name, file, retraining } = source
    const entry: FunctionEntry = entries.get(name) ?? { name, file, state: 'deploying' }
    entries.set(name, entry)
    entry.file = file
    try {
      await load(entry, await describe(source), async () => {})
    } catch (error) {
      fail(entry, error)
      return entry
    }
    try {
      // A retraining that does not build is no reason not to serve, and the one before it stays.
      if (retraining === undefined) delete entry.retraining
      else entry.retraining = await describeRetraining(source, retraining)
      delete entry.lastError
    } catch (error) {
      fail(entry, error)
    }
    return entry
  }

  function inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = lastChange.then(change)
    lastChange = done.catch(() => undefined)
    return done
  }

  function deployed(name: string): Deployment {
    const entry = entries.get(name)
    if (entry === undefined) throw unknownFunction(name)
    if (entry.deployment !== undefined) return entry.deployment
    const why = entry.lastError?.code ?? 'it is being deployed'
    throw new CorunError('function-unavailable', `function "${name}" does not serve: ${why}`, {
      details: { retryAfter: 1 },
    })
  }

  async function switchVersion(
    ...[modelId, version, commit]: Parameters<Registry['switchModel']>
  ): Promise<void> {
    const entry = [...entries.values()].find(({ deployment }) =>
      Object.values(deployment?.models ?? {}).some(({ id }) => id === modelId),
    )
    const old = entry?.deployment
    const found = Object.entries(old?.models ?? {}).find(([, { id }]) => id === modelId)
    if (entry === undefined || old === undefined || found === undefined) {
      throw new CorunError('unknown-model', `no function that serves has a model "${modelId}"`)
    }
    const [key] = found
    const replaced = { ...old.models, [key]: await describeModel(modelId, version) }
    const next: Deployment = { ...old, models: replaced, id: deploymentId(old.bundleHash, replaced) }
    await load(entry, next, commit)
  }

  return {
    start: () =>
      inTurn(async () => {
        const { sources, problems } = await discoverFunctions(functionsDir)
        for (const { entry, error } of problems) log.error({ entry, err: error }, 'not a function')
        await Promise.all(sources.map(deploySource))
      }),
    deploy: name =>
      inTurn(async () => {
        const { sources } = await discoverFunctions(functionsDir)
        const source = sources.find(source => source.name === name)
        if (source === undefined) throw unknownFunction(name)
        return deploySource(source)
      }),
    get: name => entries.get(name),
    list: () => [...entries.values()],
    deployed,
    acquire(name) {
      const deployment = deployed(name)
      return { deployment, release: leases.take(deployment.id) }
    },
    switchModel: (...args) => inTurn(() => switchVersion(...args)),
  }
}

const unknownFunction = (name: string) => new CorunError('unknown-function', `there is no function "${name}"`)
