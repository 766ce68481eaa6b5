/**
 * What goes wrong outside of a handler's own promise: exceptions that nobody caught, rejections that nobody waits for,
 * and an exit in the middle. Each is told with the function that it came from, and fails that one's request alone.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'
import { CorunError } from '../core/errors.ts'
import type { Logger } from '../observe/log.ts'

export interface Origin {
  function?: string | undefined
  requestId?: string | undefined
}

interface Context extends Origin {
  /** Ends the work with the error; without effect when it has ended. */
  fail(error: unknown): void
}

const contexts = new AsyncLocalStorage<Context>()

/** Runs `work` so that what it leaves behind can be told from what others do. Rejects with an exception that it did not catch. */
export function attribute<T>(origin: Origin, work: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    contexts.run({ ...origin, fail: reject }, () => void work().then(resolve, reject))
  })
}

/**
 * After an exception that nobody caught the state of the thread is unknown: `spoiled` is called, and the thread goes
 * when it has answered what it has. A forgotten promise is only told: what it was for is known to be unfinished.
 */
export function catchFaults(log: Logger, spoiled: (error: unknown, origin: Origin) => void): void {
  process.on('uncaughtException', error => {
    const context = contexts.getStore()
    context?.fail(error)
    spoiled(error, originOf(context))
  })
  process.on('unhandledRejection', error => {
    const origin = originOf(contexts.getStore())
    log.error({ ...origin, err: error }, 'a promise was rejected and nobody waited for it')
  })
}

const originOf = (context: Context | undefined): Origin =>
  context === undefined ? {} : { function: context.function, requestId: context.requestId }

/** `process.exit` would end the thread under all requests that it has: it becomes an error of the one that calls it. */
export function forbidExit(): void {
  process.exit = code => {
    throw new CorunError(
      'handler-error',
      `process.exit(${code ?? ''}) was called; expected the function to return or throw`,
    )
  }
  syncBuiltinESMExports()
}
