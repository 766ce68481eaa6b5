/** Requests that came together: their handlers run side by side, and their model calls share runs. */
import { serializeError } from '../core/errors.ts'
import type { BatchReply, InvocationCall, PoolReply } from '../core/messages.ts'
import type { LoadedDeployment } from './deployments.ts'
import { attribute } from './faults.ts'
import { type InvokeOptions, invoke } from './invoke.ts'
import { shareRuns } from './model-batcher.ts'

/**
 * Every call is answered once, by one of the lists that `send` gets: those that were done in one turn of the event loop
 * leave together, and none waits for another turn. What fails one leaves the others alone.
 */
export async function invokeBatch(
  loaded: LoadedDeployment,
  calls: readonly InvocationCall[],
  options: Pick<InvokeOptions, 'log' | 'post'>,
  send: (replies: BatchReply[]) => void,
): Promise<{ outOfMemory: boolean }> {
  const startedAt = performance.now()
  const shared = shareRuns(loaded)
  let done: BatchReply[] = []
  const flush = () => {
    if (done.length > 0) send(done)
    done = []
  }
  const reply = (answered: BatchReply) => {
    if (done.length === 0) setImmediate(flush)
    done.push(answered)
  }
  // Before any of them begins, so that the first does not run without the rest.
  const members = calls.map(call => ({ ...call, read: shared.batcher.reading() }))
  const work = members.map(async ({ read, ...call }, index) => {
    const origin = { function: loaded.deployment.function, requestId: call.request.requestId }
    const answered: Promise<PoolReply<'invoke'>> = attribute(origin, () =>
      invoke(loaded, call, { ...options, shared, onRead: read }),
    )
      .then(result => ({ ok: true as const, result, runMs: performance.now() - startedAt }))
      .catch(error => ({
        ok: false as const,
        error: serializeError(error, 'handler-error'),
        runMs: performance.now() - startedAt,
      }))
    reply({ index, reply: await answered.finally(read) })
  })
  await Promise.all(work)
  flush()
  return { outOfMemory: shared.batcher.outOfMemory() }
}
