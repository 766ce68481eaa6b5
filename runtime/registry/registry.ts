/**
 * The functions of this box: found, built, described, loaded and warmed everywhere, and only then serving. A
 * deployment is immutable; a new version of a model makes a new one. Leaves requests to dispatch/, and when to look
 * for changes to watch.ts.
 */
import { join } from 'node:path'
import { type Clock, systemClock } from '../core/clock.ts'
import type { Arm, Deployment } from '../core/deployment.ts'
import { orDiskFull } from '../core/disk-full.ts'
import { CorunError, type ErrorCode } from '../core/errors.ts'
import type { Logger } from '../observe/log.ts'
import type { Pool } from '../pool/pool.ts'
import { createSerial } from '../state/serial.ts'
import { createBeside } from './beside.ts'
import { createBundleFiles } from './bundle-files.ts'
import {
  type DescribeContext,
  describeRetraining,
  describeSource,
  retrainingStem,
} from './describe-source.ts'
import { discoverFunctions, type FunctionSource } from './discover.ts'
import { deployFailure, type FunctionEntry } from './entry.ts'
import { changedSince, type Fingerprints, takeFingerprints } from './fingerprints.ts'
import { createLastGood } from './last-good.ts'
import { createLeases } from './leases.ts'
import { planReload, type WatchedFunction } from './plan-reload.ts'
import type { ModelSource, ModelVersion } from './resolve-models.ts'
import { createSessionFiles } from './session-files.ts'
import { createStages } from './stages.ts'
import { withVersion } from './with-version.ts'

export type { FunctionEntry } from './entry.ts'

export interface RegistryOptions {
  functionsDir: string
  dataDir: string
  pool: Pick<Pool, 'run' | 'loadEverywhere' | 'unloadEverywhere'>
  models: ModelSource
  log: Logger
  /** How long the version before stays loaded after a switch; 0: not at all. Default 600,000. */
  keepWarmMs?: number
  clock?: Clock
}

/** What has happened to a function. After `failed` its last good deployment serves, where it had one. */
export type RegistryChange =
  | { type: 'deployed' | 'failed'; entry: FunctionEntry }
  | { type: 'removed'; name: string }

export interface LoadedDeployment {
  deployment: Deployment
  /** `warm`: served before. `candidate`: is tried on live requests. */
  role: 'serving' | 'warm' | 'candidate'
}

/** What lies in the functions folder and can be no function. */
export interface EntryProblem {
  /** Its name. */
  entry: string
  code: string
  message: string
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
  /**
   * Deploys what is new or made of other files than it was, and removes what has no source any more. `touched`:
   * paths where something has happened. `retry`: what failed for want of a file is tried again, too.
   */
  refresh(touched?: ReadonlySet<string>, options?: { retry?: boolean }): Promise<void>
  /** Absolute paths of what the functions are made of: inputs of their bundles, models, labels. */
  watchedFiles(): ReadonlySet<string>
  /** Calls `listener` after every change; answers what ends that. */
  onChange(listener: (change: RegistryChange) => void): () => void
  get(name: string): FunctionEntry | undefined
  list(): FunctionEntry[]
  /** As of the last look. */
  problems(): EntryProblem[]
  /** The deployment that serves now. Throws `unknown-function` or `function-unavailable`. */
  deployed(name: string): Deployment
  /**
   * The same, kept loaded until it is released. `admitted`: the deployment that the request was admitted with, which
   * answers it when the function has been removed since. `arm`: the candidate that is tried, while there is one.
   */
  acquire(name: string, admitted?: Deployment, arm?: Arm): { deployment: Deployment; release(): void }
  /**
   * Loads and warms another version of a model in every thread, awaits `commit`, and only then lets it take
   * traffic. When anything fails, the old version serves on. The one before stays warm for a while: a switch back to it
   * loads nothing.
   */
  switchModel(modelId: string, version: ModelVersion, commit: () => Promise<void>): Promise<void>
  /**
   * Loads and warms another version of a model in every thread, beside what serves: for the requests that ask for it, until
   * `endBeside`, or until something else serves. Throws as `switchModel` does.
   */
  deployBeside(modelId: string, version: ModelVersion): Promise<Deployment>
  beside(name: string): Deployment | undefined
  endBeside(name: string): void
  /** Memory is short: what is kept warm is let go. */
  releaseWarm(): void
  /** The bundle stays on disk until the answer is called, whatever becomes of its function. */
  holdBundle(bundle: string): () => void
  /** Every deployment that the threads have loaded, and what for. */
  loaded(): LoadedDeployment[]
  /** Ends its clocks; what is loaded ends with the threads of the pool. */
  close(): void
}

/** From the last use of a deployment that serves no more to its release. */
const releaseDelayMs = 100

export function createRegistry(options: RegistryOptions): Registry {
  const { functionsDir, dataDir, pool, models, log, keepWarmMs = 600_000, clock = systemClock } = options
  const builds = join(dataDir, 'builds')
  const bundleFiles = createBundleFiles(builds)
  const sessionFiles = createSessionFiles(join(dataDir, 'cache', 'sessions'), pool, log)
  const entries = new Map<string, FunctionEntry>()
  const watched = new Map<string, WatchedFunction>()
  const listeners = new Set<(change: RegistryChange) => void>()
  const inTurn = createSerial()
  let holds = 0
  /** All that was there at the start is known. */
  let hasStarted = false
  let fingerprints: Fingerprints = new Map()
  let toldProblems: ReadonlySet<string> = new Set()
  let problemsNow: EntryProblem[] = []

  const leases = createLeases(id => {
    pool
      .unloadEverywhere(id)
      .catch(error => log.warn({ deployment: id, err: error }, 'a deployment was not unloaded'))
      .then(() => inTurn(() => forget(id)))
      .catch(error => log.warn({ deployment: id, err: error }, 'files of a deployment were not removed'))
  }, releaseDelayMs)

  /** Its files go, unless it has come back since it was given up. */
  async function forget(id: string): Promise<void> {
    if (loaded().some(({ deployment }) => deployment.id === id)) return
    bundleFiles.drop(id)
    await sweepBundles()
    await sessionFiles.drop(id)
  }

  async function sweepBundles(): Promise<void> {
    const needed = [
      ...lastGood.list().map(({ bundle }) => bundle),
      ...[...entries.values()].flatMap(({ retraining }) => retraining?.bundle ?? []),
    ]
    await bundleFiles.sweep(needed).catch(error => log.warn({ err: error }, 'old bundles were not removed'))
  }

  const lastGood = createLastGood(dataDir, models, log)

  const beside = createBeside({ keepWarmMs, letGo: leases.giveUp })

  function tell(change: RegistryChange): void {
    for (const listener of listeners) listener(change)
  }

  function fail(entry: FunctionEntry, error: unknown): void {
    const failure = deployFailure(error, new Date(clock.now()).toISOString())
    const again = entry.lastError?.message === failure.message && entry.lastError.code === failure.code
    entry.lastError = failure
    if (entry.deployment === undefined) entry.state = 'failed'
    // One that is tried again and again for the same file says so once.
    if (again) return
    const { code, file, line } = failure
    const fields = { function: entry.name, code, file, line, serving: entry.deployment?.id, err: error }
    log.error(fields, 'a function was not deployed')
    tell({ type: 'failed', entry })
  }

  /** `warm`: what served before may serve again soon. */
  function serve(
    entry: FunctionEntry,
    deployment: Deployment,
    stages: Record<string, number>,
    { warm }: { warm: boolean },
  ): void {
    const old = entry.deployment
    entry.deployment = deployment
    entry.state = 'ready'
    log.info({ function: entry.name, version: deployment.id, ...stages }, 'function is live')
    beside.served(entry.name, deployment, warm ? old : undefined)
    if (!warm && old !== undefined && old.id !== deployment.id) leases.giveUp(old.id)
  }

  /** Loads it everywhere and awaits `commit`; when either fails, no thread keeps it. Answers it as it is loaded. */
  async function load(
    entry: FunctionEntry,
    deployment: Deployment,
    commit: () => Promise<void>,
  ): Promise<Deployment> {
    const present = beside.find(entry.name, deployment.id)
    if (present !== undefined) {
      await commit()
      return present
    }
    // One that was given up and comes back is not to be unloaded behind this by its last lease.
    leases.want(deployment.id)
    bundleFiles.keep(deployment.id, deployment.bundle)
    try {
      const prepared = await sessionFiles.prepare(deployment)
      await pool.loadEverywhere(prepared)
      await commit()
      return prepared
    } catch (error) {
      if (deployment.id !== entry.deployment?.id) leases.giveUp(deployment.id)
      throw error
    }
  }

  async function deploySource(source: FunctionSource): Promise<FunctionEntry> {
    const { name, file, retraining } = source
    const entry: FunctionEntry = entries.get(name) ?? { name, file, state: 'deploying' }
    entries.set(name, entry)
    entry.file = file
    const stages = createStages(clock)
    const files = new Set<string>()
    const context: DescribeContext = {
      ...{ builds, imports: join(dataDir, 'imports'), ownData: join(dataDir, 'functions'), pool, models },
      onFile: path => void files.add(path),
      onBundle: (stem, bundle) => bundleFiles.keep(lastBuildOf(stem), bundle),
      onStage: stages.ended,
    }
    const stale = watched.get(name)?.files ?? []
    const before = versionOf(entry)
    try {
      const deployment = await describeSource(source, context)
      if (deployment.id !== entry.deployment?.id) {
        const prepared = await load(entry, deployment, async () => {})
        stages.ended('load')
        serve(entry, prepared, stages.summary(), { warm: false })
      }
      // A retraining that does not build is no reason not to serve, and the one before it stays.
      if (retraining === undefined) delete entry.retraining
      else entry.retraining = await describeRetraining(source, retraining, deployment, context)
      delete entry.lastError
      watched.set(name, { source, files })
      if (versionOf(entry) !== before) tell({ type: 'deployed', entry })
    } catch (thrown) {
      const error = orDiskFull(thrown, `a build of "${name}"`)
      // What it was made of before may be what repairs it.
      watched.set(name, { source, files: new Set([...files, ...stale]), failure: kindOf(error) })
      fail(entry, error)
      if (!hasStarted && entry.deployment === undefined) await serveLast(entry)
    }
    // What serves, whatever came of its retraining.
    if (entry.deployment !== undefined) await lastGood.note(entry.deployment)
    return entry
  }

  /** What served before this start, while the source of now cannot be deployed. */
  async function serveLast(entry: FunctionEntry): Promise<void> {
    const { name } = entry
    try {
      const deployment = await lastGood.find(name)
      if (deployment === undefined) return
      serve(entry, await load(entry, deployment, async () => {}), {}, { warm: false })
      log.warn({ function: name, version: deployment.id }, 'what served last does so again')
    } catch (error) {
      log.warn({ function: name, err: error }, 'what served last cannot do so again')
    }
  }

  function remove(name: string): void {
    const deployment = entries.get(name)?.deployment
    entries.delete(name)
    watched.delete(name)
    beside.remove(name)
    for (const stem of [name, retrainingStem(name)]) bundleFiles.drop(lastBuildOf(stem))
    if (deployment !== undefined) leases.giveUp(deployment.id)
    log.info({ function: name, version: deployment?.id }, 'function is removed')
    tell({ type: 'removed', name })
  }

  /** The sources that are there now; an entry that is no function is told once. */
  async function discover(): Promise<FunctionSource[]> {
    const { sources, problems } = await discoverFunctions(functionsDir)
    for (const { entry, error } of problems) {
      if (!toldProblems.has(error.message)) log.error({ entry, err: error }, 'not a function')
    }
    toldProblems = new Set(problems.map(({ error }) => error.message))
    problemsNow = problems.map(({ entry, error: { code, message } }) => ({ entry, code, message }))
    return sources
  }

  const watchedFiles = () => new Set([...watched.values()].flatMap(({ files }) => [...files]))

  async function refresh(touched: ReadonlySet<string>, retry: boolean): Promise<void> {
    const found = await discover()
    const now = await takeFingerprints(watchedFiles())
    const changed = changedSince(fingerprints, now)
    for (const path of touched) if (!now.has(path)) changed.add(path)
    fingerprints = now
    const { deploy, remove: gone } = planReload(watched, { found, changed, retry })
    for (const name of gone) {
      remove(name)
      await lastGood.forget(name)
    }
    await deployAll(deploy)
    if (gone.length > 0 || deploy.length > 0) await sweepBundles()
  }

  async function deployAll(sources: readonly FunctionSource[]): Promise<void> {
    if (sources.length === 0) return
    const before = clock.now()
    await Promise.all(sources.map(deploySource))
    // A file that was written while it was built with is looked at again.
    const known = fingerprints
    const fresh = [...watchedFiles()].filter(file => !known.has(file))
    fingerprints = new Map([...known, ...(await takeFingerprints(fresh, before - clockSlackMs))])
  }

  function deployed(name: string): Deployment {
    const entry = entries.get(name)
    if (entry === undefined && hasStarted) throw unknownFunction(name)
    if (entry?.deployment !== undefined) return entry.deployment
    const why = entry?.lastError?.code ?? (hasStarted ? 'it is being deployed' : 'the server is starting')
    throw new CorunError('function-unavailable', `function "${name}" does not serve: ${why}`, {
      details: { retryAfter: 1 },
    })
  }

  async function switchVersion(
    ...[modelId, version, commit]: Parameters<Registry['switchModel']>
  ): Promise<void> {
    const stages = createStages(clock)
    const { entry, next } = await withVersion(entries.values(), modelId, version)
    const prepared = await load(entry, next, commit)
    stages.ended('load')
    serve(entry, prepared, stages.summary(), { warm: true })
    tell({ type: 'deployed', entry })
    await lastGood.note(prepared)
  }

  async function deployBeside(modelId: string, version: ModelVersion): Promise<Deployment> {
    const { entry, next } = await withVersion(entries.values(), modelId, version)
    const prepared = await load(entry, next, async () => {})
    beside.addCandidate(prepared)
    return prepared
  }

  function loaded(): LoadedDeployment[] {
    const serving = [...entries.values()].flatMap(({ deployment }) => deployment ?? [])
    return [...serving.map(deployment => ({ deployment, role: 'serving' as const })), ...beside.list()]
  }

  return {
    start: () =>
      inTurn(async () => {
        await lastGood.open()
        await deployAll(await discover())
        hasStarted = true
        for (const { function: name } of lastGood.list()) if (!entries.has(name)) await lastGood.forget(name)
        await sweepBundles()
        await sessionFiles.sweep()
      }),
    deploy: name =>
      inTurn(async () => {
        const source = (await discover()).find(source => source.name === name)
        if (source === undefined) throw unknownFunction(name)
        const entry = await deploySource(source)
        await sweepBundles()
        return entry
      }),
    refresh: (touched = new Set(), { retry = false } = {}) => inTurn(() => refresh(touched, retry)),
    watchedFiles,
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    get: name => entries.get(name),
    list: () => [...entries.values()],
    problems: () => problemsNow,
    deployed,
    acquire(name, admitted, arm = 'current') {
      const tried = arm === 'candidate' ? beside.candidate(name) : undefined
      const deployment = tried ?? (entries.has(name) || admitted === undefined ? deployed(name) : admitted)
      return { deployment, release: leases.take(deployment.id) }
    },
    switchModel: (...args) => inTurn(() => switchVersion(...args)),
    deployBeside: (...args) => inTurn(() => deployBeside(...args)),
    beside: beside.candidate,
    endBeside: beside.removeCandidate,
    releaseWarm: beside.release,
    loaded,
    holdBundle(bundle) {
      holds += 1
      const user = `hold ${holds} of ${bundle}`
      bundleFiles.keep(user, bundle)
      return () => bundleFiles.drop(user)
    },
    close() {
      beside.close()
      leases.close()
    },
  }
}

const unknownFunction = (name: string) => new CorunError('unknown-function', `there is no function "${name}"`)

/** Of a source that cannot be deployed too: it is tried again, and need not be written again. */
const lastBuildOf = (stem: string) => `last build of ${stem}`

/** What people would call a change of a function: of what serves, of how it is retrained, or of what is wrong. */
const versionOf = ({ deployment, retraining, lastError }: FunctionEntry) =>
  [deployment?.id, retraining?.bundle, lastError?.at].join()

/** File systems stamp times with a coarser clock than ours. */
const clockSlackMs = 10

/** For want of a file, of room, or of a thread: what may be repaired by something that happens anywhere. */
const repairable: ReadonlySet<string> = new Set<ErrorCode>([
  'build-failed',
  'model-not-found',
  'disk-full',
  'saturated',
])
const kindOf = (error: unknown): 'unresolved' | 'other' =>
  error instanceof CorunError && repairable.has(error.code) ? 'unresolved' : 'other'
