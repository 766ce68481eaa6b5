/** Runs that no caller waits for: one at a time, and only while a slot is free and no request waits for it. */
import type { Arm, Deployment } from '../core/deployment.ts'
import { serializeError } from '../core/errors.ts'
import type { InvocationRequest, PoolReply } from '../core/messages.ts'
import type { Pool } from '../pool/pool.ts'
import { hasRoom } from './admission.ts'
import type { SlotQueue } from './slot-queue.ts'

export interface SpareRun {
  /** That ran it. */
  deployment: Deployment
  reply: PoolReply<'invoke'>
}

/** Undefined, at once, when there is no room. A run that has begun is waited for until its function's deadline. */
export type RunSpare = (name: string, request: InvocationRequest, arm?: Arm) => Promise<SpareRun | undefined>

export interface SpareRunsOptions extends Pick<Pool, 'run'> {
  queue: Pick<SlotQueue, 'queued' | 'running' | 'slots' | 'submit'>
  acquire(
    name: string,
    admitted: Deployment | undefined,
    arm: Arm,
  ): { deployment: Deployment; release(): void }
  /** Nothing begins any more. */
  closed(): boolean
}

export function createSpareRuns({ queue, acquire, run, closed }: SpareRunsOptions): RunSpare {
  let busy = false
  return async (name, request, arm = 'current') => {
    if (busy || closed() || !hasRoom(queue)) return undefined
    const { deployment, release } = acquire(name, undefined, arm)
    const { timeoutMs } = deployment.description
    busy = true
    const startedAt = performance.now()
    const onLeave = () => {
      busy = false
      release()
    }
    try {
      const reply = await queue.submit(
        ({ remainingMs }) => run<'invoke'>({ type: 'invoke', deployment, request, remainingMs }),
        { timeoutMs, name, onLeave },
      )
      return { deployment, reply }
    } catch (cause) {
      const error = serializeError(cause, 'internal-error')
      return { deployment, reply: { ok: false, error, runMs: performance.now() - startedAt } }
    }
  }
}
