// Pictures on their way through the shipped classifier, in the server's own pool and worker, and what it said of each.
import { availableParallelism } from 'node:os'
import type { Deployment } from '../../runtime/core/deployment.ts'
import { deserializeError } from '../../runtime/core/errors.ts'
import type { ModelSaid } from '../../runtime/core/messages.ts'
import { createLogger } from '../../runtime/observe/log.ts'
import { createPool } from '../../runtime/pool/pool.ts'
import { makeSet, type SetOptions } from '../pictures/make-set.ts'

export interface DriftStream {
  /** What the model said of each picture of a set, in its order. */
  observe(set: SetOptions): Promise<ModelSaid[]>
  close(): Promise<void>
}

export function openDriftStream(deployment: Deployment): DriftStream {
  const pool = createPool({
    threads: availableParallelism(),
    provider: 'cpu',
    intraOpThreads: 1,
    logLevel: 'warn',
    log: createLogger('warn'),
  })
  let requests = 0

  async function ask(body: Uint8Array): Promise<ModelSaid> {
    requests += 1
    const request = {
      requestId: `request-${requests}`,
      method: 'POST',
      url: `http://box/fn/${deployment.function}`,
      headers: [],
      body,
    }
    const reply = await pool.run<'invoke'>({ type: 'invoke', deployment, request, remainingMs: 60_000 })
    if (!reply.ok) throw deserializeError(reply.error)
    const [said] = reply.result.said ?? []
    if (said === undefined) throw new Error('the classifier said nothing that can be watched')
    return said
  }

  return {
    async observe(set) {
      const pictures = await makeSet(set)
      return Promise.all(pictures.map(({ image }) => ask(new Uint8Array(image))))
    },
    close: () => pool.close(),
  }
}
