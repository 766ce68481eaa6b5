/** What a function does once a thread, beside its requests: `init` when it is loaded, `dispose` when it is unloaded. */
import type { LifecycleContext } from '../core/definition.ts'
import type { Deployment } from '../core/deployment.ts'
import { CorunError } from '../core/errors.ts'
import type { CheckedFunction } from '../core/function-form.ts'
import type { Logger } from '../observe/log.ts'
import { openDataFolder } from './data-folder.ts'
import { functionLog } from './function-log.ts'
import { placeOf } from './source-place.ts'

export interface Lifecycle {
  /** Throws `init-failed` when the author's `init` throws, or does not end in time: the deployment is then none. */
  init(): Promise<void>
  /** What goes wrong is in the log: the deployment goes in any case. */
  dispose(): Promise<void>
}

interface LifecycleParts {
  deployment: Deployment
  definition: CheckedFunction['definition']
  models: LifecycleContext['models']
  env: LifecycleContext['env']
  log: Logger
  initLimitMs?: number
  /** Default 5,000. */
  disposeLimitMs?: number | undefined
}

export function createLifecycle(parts: LifecycleParts): Lifecycle {
  const { deployment, definition, models, env, log, initLimitMs = 30_000, disposeLimitMs = 5000 } = parts
  const { function: name, id: version } = deployment
  const unloaded = new AbortController()
  const ownLog = log.child({ function: name, version })
  const context: LifecycleContext = {
    ...{ models, env, log: functionLog(ownLog), signal: unloaded.signal },
    get dataFolder() {
      return openDataFolder(deployment)
    },
    deployment: { function: name, version },
  }
  return {
    async init() {
      try {
        await within(initLimitMs, 'init', () => definition.init?.(context))
      } catch (error) {
        unloaded.abort()
        const message = error instanceof Error ? error.message : String(error)
        throw new CorunError('init-failed', `init of function "${name}" failed: ${message}`, {
          cause: error,
          details: { ...placeOf(error, deployment.bundle) },
        })
      }
    },
    async dispose() {
      unloaded.abort()
      try {
        await within(disposeLimitMs, 'dispose', () => definition.dispose?.(context))
      } catch (error) {
        ownLog.error({ err: error }, 'dispose failed')
      }
    },
  }
}

/** The variables that the definition names, of those that are set: nothing else of the environment. */
export function pickEnv(
  names: readonly string[] = [],
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string> {
  return Object.fromEntries(
    names.flatMap(name => {
      const value = env[name]
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

async function within(ms: number, what: string, work: () => unknown): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not end within ${ms} ms`)), ms)
  })
  try {
    await Promise.race([work(), late])
  } finally {
    clearTimeout(timer)
  }
}
