/**
 * The end of a thread that could go on: the functions that it has loaded are unloaded, so that their `dispose` runs. Each
 * has its time, and all of them together have theirs; what hangs is told, and keeps no thread. Leaves the end itself to
 * threads.ts.
 */
import type { Deployment } from '../core/deployment.ts'
import type { PoolReply, PoolTask } from '../core/messages.ts'
import { within } from '../core/within.ts'
import type { Logger } from '../observe/log.ts'

export interface FarewellOptions {
  /** What the thread may have loaded and not disposed of. */
  toDispose(threadId: number): readonly Deployment[]
  send(task: Extract<PoolTask, { type: 'unload' }>, threadId: number): Promise<PoolReply>
  /** For one function: more than its thread gives its `dispose`. */
  limitMs: number
  /** For all of them. */
  totalMs: number
  log: Logger
}

/** Resolves when the thread may be ended, whatever went wrong. The thread is the caller's, and has no task. */
export function createFarewell({ toDispose, send, limitMs, totalMs, log }: FarewellOptions) {
  return async (threadId: number): Promise<void> => {
    const endsAt = performance.now() + totalMs
    const left = [...toDispose(threadId)]
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { id: version, function: name } = next
      const fields = { thread: threadId, function: name, version }
      const ms = Math.min(limitMs, endsAt - performance.now())
      const unloading = send({ type: 'unload', deploymentId: version, function: name }, threadId)
      const outcome = await within(
        unloading.catch((error: unknown) => ({ ended: error })),
        ms,
      )
      if (outcome === 'late') log.error(fields, 'dispose does not end, and its thread is ended in it')
      else if ('ended' in outcome) log.error({ ...fields, err: outcome.ended }, 'dispose ended its thread')
      else if (outcome.ok) continue
      else {
        log.error({ ...fields, err: outcome.error }, 'a deployment was not unloaded')
        continue
      }
      break
    }
    if (left.length === 0) return
    const functions = left.map(deployment => deployment.function)
    log.error({ thread: threadId, functions }, 'a thread ends without the dispose of these functions')
  }
}
