/** The deployments that this thread has loaded: module, sessions, warmed up. */
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import type { ModelHandle } from '../core/definition.ts'
import type { Deployment } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import { asFunction, type CheckedFunction } from '../core/function-form.ts'
import type { DeploymentName, ThreadSettings } from '../core/messages.ts'
import { isOutOfMemory } from '../core/out-of-memory.ts'
import { insideGate } from '../device/native-gate.ts'
import type { Logger } from '../observe/log.ts'
import { isWatched } from './feature-tap.ts'
import { importBundle } from './import-bundle.ts'
import { createLifecycle, type Lifecycle, pickEnv } from './lifecycle.ts'
import { createModelHandle, type RunModel } from './model-handle.ts'
import { openModel } from './open-model.ts'
import { takesRows } from './row-check.ts'
import { joinRows } from './tensor-rows.ts'
import { warmUpFeeds } from './warm-up.ts'
import { scoresOf, type WatchedModel } from './watched-models.ts'

export interface LoadedDeployment {
  deployment: Deployment
  checked: CheckedFunction
  models: Record<string, ModelHandle>
  /** What the definition names of the environment. */
  env: Readonly<Record<string, string>>
  /** The same for the requests of one batch; `gather` joins the runs of models that take several rows. */
  handles(gather: (run: RunModel) => RunModel): Record<string, ModelHandle>
  /** Those that tell what they say, by their name in the function. */
  watched: ReadonlyMap<string, WatchedModel>
}

export interface Deployments {
  /** Loads what is not loaded yet: a thread that was replaced gets its deployments with their first request. */
  get(deployment: Deployment | DeploymentName): Promise<LoadedDeployment>
  /** False when it was not loaded here. */
  unload(deploymentId: string): Promise<boolean>
}

export interface ThreadContext extends ThreadSettings {
  threadId: number
  log: Logger
}

interface Loaded extends LoadedDeployment {
  lifecycle: Lifecycle
  sessions: InferenceSession[]
}

export function createDeployments(context: ThreadContext): Deployments {
  const loaded = new Map<string, Promise<Loaded>>()
  const inEngine = <T>(work: () => Promise<T>) => insideGate(context.gate, context.threadId, work)

  async function load(deployment: Deployment): Promise<Loaded> {
    // It was checked when it was described: the schemas would make every thread's start longer.
    const checked = asFunction((await importBundle(deployment.function, deployment.bundle)) as object)
    const handleMakers: [string, (gather: (run: RunModel) => RunModel) => ModelHandle][] = []
    const handles: LoadedDeployment['handles'] = gather =>
      Object.fromEntries(handleMakers.map(([name, make]) => [name, make(gather)]))
    const sessions: InferenceSession[] = []
    const watched = new Map<string, WatchedModel>()
    const { batch } = deployment.description
    try {
      for (const [name, model] of Object.entries(deployment.models)) {
        let watching = isWatched(deployment, model)
        const opened = await openModel(model, {
          settings: context,
          log: context.log,
          watching,
          inEngine,
        }).catch(error => {
          throw loadFailed(`model "${name}" cannot be loaded`, error)
        })
        const { session } = opened
        let { tap } = opened
        sessions.push(session)
        const hidden = tap?.hidden
        const visible = session.outputNames.filter(output => output !== hidden?.name)
        const runFor =
          (outputs: readonly string[]): RunModel =>
          feeds =>
            inEngine(() => session.run(feeds, outputs)).catch(rethrow(name))
        let run = runFor(session.outputNames)
        const plain = runFor(visible)
        const feeds = warmUpFeeds(model, deployment.description.input)
        if (feeds !== undefined) {
          const outputs = await warmUp(name, run, feeds)
          // Labels of a text's characters, say: there is no class of a picture to watch, nor features to copy.
          if (watching && scoresOf(model, outputs) === undefined) {
            ;[watching, run, tap] = [false, plain, undefined]
          }
        }
        const together = context.batch > 1 || batch !== undefined
        let rows = together && feeds !== undefined && (await takesRows(model, run, feeds))
        if (together && !rows && feeds !== undefined && tap !== undefined) {
          // Features that are not a row a picture must not cost a model its batches.
          rows = await takesRows(model, plain, feeds)
          if (rows) [run, tap] = [plain, undefined]
        }
        if (rows && feeds !== undefined) await warmUpBatches(name, run, feeds, context.warmBatches)
        if (watching) watched.set(name, { model, features: tap })
        handleMakers.push([
          name,
          gather => createModelHandle(name, model, session, rows ? gather(run) : run, hidden),
        ])
      }
      const models = handles(run => run)
      const { definition } = checked
      const env = pickEnv(definition.env, process.env)
      const lifecycle = createLifecycle({
        ...{ deployment, definition, models, env, log: context.log },
        disposeLimitMs: context.disposeLimitMs,
      })
      await lifecycle.init()
      return { deployment, checked, models, env, handles, watched, lifecycle, sessions }
    } catch (error) {
      for (const session of sessions) await inEngine(() => session.release())
      throw error
    }
  }

  return {
    async get(deployment) {
      const present = loaded.get(deployment.id)
      if (present !== undefined) return present
      if (!('bundle' in deployment)) {
        // The main side names only what this thread has answered for.
        throw new CorunError('internal-error', `deployment ${deployment.id} is not loaded in this thread`)
      }
      const loading = load(deployment)
      loaded.set(deployment.id, loading)
      // What could not be loaded is tried again the next time.
      loading.catch(() => {
        if (loaded.get(deployment.id) === loading) loaded.delete(deployment.id)
      })
      return loading
    },
    async unload(deploymentId) {
      const present = loaded.get(deploymentId)
      if (present === undefined) return false
      loaded.delete(deploymentId)
      const { lifecycle, sessions } = await present
      await lifecycle.dispose()
      for (const session of sessions) await inEngine(() => session.release())
      return true
    },
  }
}

/** The first run of a session allocates and packs: it happens before the deployment takes traffic. */
async function warmUp(name: string, run: RunModel, feeds: Record<string, Tensor>): ReturnType<RunModel> {
  try {
    return await run(feeds)
  } catch (error) {
    throw loadFailed(`model "${name}" fails its first run`, error)
  }
}

/** A size that memory does not hold is left to the dispatcher, which tries smaller ones. */
async function warmUpBatches(
  name: string,
  run: RunModel,
  feeds: Record<string, Tensor>,
  sizes: readonly number[] = [],
): Promise<void> {
  for (const size of sizes) {
    if (size < 2) continue
    await run(joinRows(Array(size).fill(feeds))).catch(error => {
      if (!isOutOfMemory(error))
        throw loadFailed(`model "${name}" fails its first run of ${size} rows`, error)
    })
  }
}

/** Memory that runs out is not the handler's fault: it gets a code of its own. */
const rethrow = (name: string) => (error: unknown) => {
  if (!isOutOfMemory(error)) throw error
  const why = error instanceof Error ? error.message : String(error)
  throw new CorunError('out-of-memory', `model "${name}" ran out of memory: ${why}`, {
    details: { retryAfter: 1 },
    cause: error,
  })
}

function loadFailed(what: string, cause: unknown): CorunError {
  const message = cause instanceof Error ? cause.message : String(cause)
  return cause instanceof CorunError
    ? cause
    : new CorunError('model-load-failed', `${what}: ${message}`, { cause })
}
