/** Requests that a candidate gets a copy of: it runs after the caller has its answer, and what it says is only compared. */
import type { Answered as ArmAnswer } from '../canary/answers.ts'
import type { CanaryTraffic } from '../canary/traffic.ts'
import type { Deployment } from '../core/deployment.ts'
import { deserializeError } from '../core/errors.ts'
import type { InvocationAnswer, InvocationRequest } from '../core/messages.ts'
import type { RunSpare } from './spare-runs.ts'

/** How the request itself ended, on the version that serves. */
export interface OriginalRun {
  /** Undefined: it did not come to a run. */
  deployment: Deployment | undefined
  answer?: InvocationAnswer | undefined
  error?: unknown
  runMs: number
}

export interface Shadow {
  /** What follows a request, when it has ended; undefined: it gets no copy. Called before it is sent. */
  prepare(name: string, request: InvocationRequest): ((original: OriginalRun) => void) | undefined
}

export function createShadow(
  traffic: Pick<CanaryTraffic, 'shadows' | 'shadowed'>,
  runSpare: RunSpare,
): Shadow {
  async function follow(name: string, request: InvocationRequest, original: OriginalRun): Promise<void> {
    const { deployment } = original
    if (deployment === undefined) return
    // When the request has left its slot.
    await new Promise(resolve => setImmediate(resolve))
    const copy = await runSpare(name, request, 'candidate')
    const before = answered({ ...original, deployment })
    if (copy === undefined) return traffic.shadowed(name, request.requestId, before, undefined)
    const { reply } = copy
    const after = answered({
      deployment: copy.deployment,
      runMs: reply.runMs,
      ...(reply.ok ? { answer: reply.result } : { error: deserializeError(reply.error) }),
    })
    traffic.shadowed(name, request.requestId, before, after)
  }
  return {
    prepare(name, request) {
      if (!traffic.shadows(name, request.requestId)) return undefined
      // A large body is moved into the thread that answers.
      const own = { ...request, body: request.body.slice() }
      // A function that is taken away meanwhile has nothing to try.
      return original => void follow(name, own, original).catch(() => undefined)
    },
  }
}

function answered({ deployment, answer, error, runMs }: OriginalRun & { deployment: Deployment }): ArmAnswer {
  if (answer === undefined) return { deployment, runMs, error }
  const { status, said, body, streamed = false } = answer
  return { deployment, runMs, status, said, ...(streamed ? {} : { body }) }
}
