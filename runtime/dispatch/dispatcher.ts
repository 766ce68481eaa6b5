/**
 * From a function's name and a request to an answer: admission, the slot, the deployment that is held while
 * the request runs, and one record of how it ended. Leaves HTTP to http/ and what a handler does to worker/.
 */
import type { CanaryTraffic } from '../canary/traffic.ts'
import type { Clock } from '../core/clock.ts'
import type { Arm, Deployment } from '../core/deployment.ts'
import { CorunError, deserializeError, type ErrorCode } from '../core/errors.ts'
import type {
  AnswerHead,
  InvocationAnswer,
  InvocationRequest,
  PoolReply,
  PoolResults,
  PoolTask,
} from '../core/messages.ts'
import type { Pool } from '../pool/pool.ts'
import { hasRoom } from './admission.ts'
import { receiveStream } from './answer-stream.ts'
import { shortRunsTogether } from './choose-batch.ts'
import { refusal } from './refusal.ts'
import { createSendTogether } from './send-together.ts'
import { observeRun, predictFinishMs, type ServiceTime } from './service-time.ts'
import { createShadow } from './shadow.ts'
import {
  type Caller,
  createSlotQueue,
  type SlotLimits,
  type SlotQueueOptions,
  type WorkLimits,
  type WorkStart,
} from './slot-queue.ts'
import { createSpareRuns, type RunSpare } from './spare-runs.ts'

/** A deployment that stays loaded until it is released. */
export interface DeploymentLease {
  deployment: Deployment
  release(): void
}

export interface DispatcherOptions extends SlotLimits {
  queueLimit: number
  /**
   * Beside a device that takes one thread: how many slots of their own those functions have that keep off it, and
   * which they are. Batches, and limits that are set, are the device's.
   */
  host?: { slots: number; takes(deployment: Deployment): boolean } | undefined
  clock: Clock
  /** The deployment that serves `name` now. Throws `unknown-function` or `function-unavailable`. */
  deployed(name: string): Deployment
  /** The same, held until it is released; `admitted` when the function has been removed since, `arm` of a trial. */
  acquire(name: string, admitted?: Deployment, arm?: Arm): DeploymentLease
  run<Type extends PoolTask['type']>(task: Extract<PoolTask, { type: Type }>): Promise<PoolReply<Type>>
  /** Brings answers that a thread begins to send before it has ended its task. Default: there are none. */
  expectStream?: Pool['expectStream']
  /** Which requests go to a candidate that is on trial. Default: none is. */
  canaries?: Pick<CanaryTraffic, 'armOf' | 'shadows' | 'shadowed'>
  /** Told once for every request, however it ended. */
  onEnd(end: InvocationEnd): void
  /** Told of every request that was answered with a result, and what its models said. */
  onAnswer?(answered: Answered): void
  /** Told of every use of a slot by requests: how many shared it. */
  onBatch?(size: number): void
  /** Memory did not suffice for a batch of `size` requests; 1: for a single one. */
  onOutOfMemory?(size: number): void
  /** Told how many slots requests use, those of `host` excepted, when that has changed. */
  onRunning?(running: number): void
}

export interface Answered {
  requestId: string
  deployment: Deployment
  answer: Pick<InvocationAnswer, 'said' | 'severalPictures' | 'captured'>
}

export interface InvocationEnd {
  function: string
  requestId: string
  deployment: string | undefined
  outcome: 'ok' | ErrorCode
  queueMs: number
  /** To the answer, or to its beginning where it was streamed. */
  runMs: number
  /** From the beginning of a streamed answer to its end. */
  streamMs?: number
  /** Of its answer, where it got one. */
  status?: number
  error?: unknown
}

export interface Invocation {
  /** A body that is a stream fails when the handler or the deadline does, and frees the slot when it is cancelled. */
  answer: AnswerHead & { body: Uint8Array | ReadableStream<Uint8Array> }
  deployment: Deployment
  queueMs: number
  /** In the thread, decoding included. */
  runMs: number
}

export interface FunctionCounters {
  /** Requests that were answered, however. */
  ended: number
  /** Those among them that were not answered with a result. */
  failed: number
  /** Waiting and running. */
  inFlight: number
}

interface SlotStats {
  slots: number
  /** Slots in use. */
  running: number
  queued: number
}

export interface DispatcherStats extends SlotStats, SlotLimits {
  queueLimit: number
  /** Of these slots and requests, those of a device that takes one thread. */
  device?: SlotStats
}

export interface Dispatcher {
  /** Throws what `invoke` would refuse with at once: asked before a body is read. A refusal is the request's end. */
  admit(name: string, requestId: string): void
  invoke(name: string, request: InvocationRequest, caller?: Caller): Promise<Invocation>
  /** Decodes a picture as `name` would, in a slot like any request. */
  checkImage(name: string, body: Uint8Array): Promise<PoolResults['check-image']>
  /** Runs a request that no caller waits for, where there is room. */
  runSpare: RunSpare
  /** Takes effect for what starts from now on; what runs is left alone. */
  setLimits(limits: SlotLimits): void
  /** Of one function, since the start. */
  counters(name: string): FunctionCounters
  stats(): DispatcherStats
  /** What is known of the time that each function's requests take. */
  serviceTimes(): Record<string, ServiceTime>
  /** Admits nothing more; resolves when every request that was admitted has ended. */
  drain(): Promise<void>
}

const beginning = (name: string, requestId: string): InvocationEnd => ({
  function: name,
  requestId,
  deployment: undefined,
  outcome: 'ok',
  queueMs: 0,
  runMs: 0,
})

function blame(end: InvocationEnd, error: unknown): void {
  end.outcome = error instanceof CorunError ? error.code : 'internal-error'
  end.error = error
}

/** Runs of models share what the profile found room for, and no more. */
const hasModels = ({ models }: Deployment) => Object.keys(models).length > 0

/** Taken for a function's run before one has been seen. */
const unknownRunMs = 50

export function createDispatcher(options: DispatcherOptions): Dispatcher {
  const { slots, batch, host, clock } = options
  const { onBatch = () => {}, onOutOfMemory = () => {}, onRunning = () => {} } = options
  /** By the time that slots were used: the way to a thread and back included. */
  const services = new Map<string, ServiceTime>()
  const onUsed: SlotQueueOptions['onUsed'] = ({ key, size, ms }) => {
    services.set(key, observeRun(services.get(key), { ms, size }))
    onBatch(size)
  }
  const queue = createSlotQueue({ slots, batch, clock, onUsed, onRunning })
  const hostQueue = host && createSlotQueue({ slots: host.slots, batch: 1, clock, onUsed })
  const queueOf = (deployment: Deployment) =>
    hostQueue !== undefined && host?.takes(deployment) ? hostQueue : queue
  const threadTimes = new Map<string, ServiceTime>()
  const send = createSendTogether({
    run: options.run,
    onBatchOutOfMemory: onOutOfMemory,
    onRan: (name, ran) => threadTimes.set(name, observeRun(threadTimes.get(name), ran)),
  })
  const runSpare = createSpareRuns({
    queue,
    acquire: options.acquire,
    run: options.run,
    closed: () => draining,
  })
  const { canaries } = options
  const shadow = canaries && createShadow(canaries, runSpare)
  const inFlight = new Map<string, number>()
  const ended = new Map<string, { ended: number; failed: number }>()
  let calls = 0
  let draining = false

  const ahead = (counts: ReadonlyMap<string, number>) =>
    Array.from(counts, ([name, count]) => ({ service: services.get(name), count }))

  function assertAdmitted(name: string): Deployment {
    const deployment = options.deployed(name)
    const { maxInFlight, timeoutMs } = deployment.description
    const queue = queueOf(deployment)
    const { slots, running, queued } = queue
    const functionInFlight = inFlight.get(name) ?? 0
    const { queueLimit } = options
    const own = services.get(name)
    // One that needs not wait is admitted whatever is predicted.
    const predictedMs = hasRoom(queue)
      ? undefined
      : predictFinishMs({
          waiting: ahead(queue.waitingByKey),
          running: ahead(queue.runningByKey),
          slots,
          own,
        })
    const facts = {
      slots,
      running,
      queued,
      queueLimit,
      functionInFlight,
      maxInFlight,
      timeoutMs,
      predictedMs,
    }
    const refused = refusal(name, { ...facts, draining, meanRunMs: own?.meanMs ?? unknownRunMs })
    if (refused !== undefined) throw refused
    return deployment
  }

  async function inSlot<T>(
    name: string,
    work: (deployment: Deployment, start: WorkStart) => Promise<T>,
    { arm = 'current', ...limits }: Pick<WorkLimits, 'key' | 'caller'> & { arm?: Arm } = {},
  ): Promise<T> {
    const asked = assertAdmitted(name)
    const { timeoutMs } = asked.description
    // Held while it waits, too: a function that is removed answers what it has taken.
    const admitted = options.acquire(name)
    inFlight.set(name, (inFlight.get(name) ?? 0) + 1)
    const onLeave = () => {
      admitted.release()
      const left = (inFlight.get(name) ?? 1) - 1
      if (left > 0) inFlight.set(name, left)
      else inFlight.delete(name)
    }
    const held = async (start: WorkStart) => {
      // Taken when the run begins, not on arrival: a request that waited out a swap runs on the new deployment.
      const lease = options.acquire(name, admitted.deployment, arm)
      try {
        return await work(lease.deployment, start)
      } finally {
        lease.release()
      }
    }
    const together = hasModels(asked) ? undefined : shortRunsTogether(threadTimes.get(name))
    return queueOf(asked).submit(held, { timeoutMs, name, onLeave, together, ...limits })
  }

  function resultOf<Type extends PoolTask['type']>(reply: PoolReply<Type>): PoolResults[Type] {
    if (!reply.ok) throw deserializeError(reply.error)
    return reply.result
  }

  function invoke(name: string, request: InvocationRequest, caller?: Caller): Promise<Invocation> {
    const { clock, expectStream = () => () => {} } = options
    const arrivedAt = clock.monotonic()
    const end = beginning(name, request.requestId)
    calls += 1
    const key = calls
    const reception = receiveStream(expectStream, key)
    const arm = canaries?.armOf(name, request.requestId) ?? 'current'
    const shadowed = shadow?.prepare(name, request)
    let ran: Deployment | undefined
    let whole: InvocationAnswer | undefined
    return new Promise((resolve, reject) => {
      const work = async (deployment: Deployment, { queueMs, remainingMs, use }: WorkStart) => {
        ran = deployment
        end.deployment = deployment.id
        end.queueMs = queueMs
        const startedAt = clock.monotonic()
        void reception.begun.then(stream => {
          if (stream === undefined) return
          end.runMs = clock.monotonic() - startedAt
          resolve({
            answer: { ...stream.head, body: stream.body },
            deployment,
            queueMs,
            runMs: end.runMs,
          })
        })
        const reply = await send(use, deployment, { key, request, remainingMs })
        if (!reply.ok && reply.error.code === 'out-of-memory') onOutOfMemory(1)
        end.runMs ||= reply.runMs
        whole = resultOf(reply)
        const { said, severalPictures, captured, ...answer } = whole
        end.status = answer.status
        if (said !== undefined) {
          const about = {
            said,
            ...(severalPictures ? { severalPictures } : {}),
            ...(captured ? { captured } : {}),
          }
          options.onAnswer?.({ requestId: request.requestId, deployment, answer: about })
        }
        if (answer.streamed) {
          await reception.end()
          end.streamMs = clock.monotonic() - startedAt - end.runMs
        }
        return { answer, deployment, queueMs, runMs: end.runMs }
      }
      const ended = (error?: unknown) => {
        if (error !== undefined) blame(end, error)
        // A deadline can pass while the request still waits, or while it runs: then the run has not been told yet.
        const elapsedMs = clock.monotonic() - arrivedAt
        if (end.deployment === undefined) end.queueMs = elapsedMs
        else if (end.runMs === 0) end.runMs = elapsedMs - end.queueMs
        if (error instanceof CorunError && end.deployment !== undefined) {
          error.ran = { deployment: end.deployment, queueMs: end.queueMs, runMs: end.runMs }
        }
        reception.close(error)
        conclude(end)
        shadowed?.({ deployment: ran, answer: whole, error, runMs: end.runMs })
      }
      // Versions do not share runs: what goes out together runs on one deployment.
      inSlot(name, work, { key: arm === 'current' ? name : `${name} (candidate)`, arm, caller })
        .then(
          invocation => {
            ended()
            resolve(invocation)
          },
          error => {
            ended(error)
            reject(error)
          },
        )
        .catch(reject)
    })
  }

  function conclude(end: InvocationEnd): void {
    const { function: name, outcome } = end
    const counted = ended.get(name) ?? { ended: 0, failed: 0 }
    counted.ended += 1
    if (outcome !== 'ok') counted.failed += 1
    ended.set(name, counted)
    options.onEnd(end)
  }

  return {
    admit(name, requestId) {
      try {
        assertAdmitted(name)
      } catch (error) {
        const end = beginning(name, requestId)
        blame(end, error)
        // Names that nobody deployed are the callers' inventions: they must not become counters.
        if (end.outcome !== 'unknown-function') conclude(end)
        throw error
      }
    },
    invoke,
    checkImage: (name, body) =>
      inSlot(name, async deployment => {
        const { input } = deployment.description
        if (input.kind !== 'image') {
          throw new CorunError('unsupported-media-type', `function "${name}" takes no pictures`)
        }
        return resultOf(await options.run({ type: 'check-image', input, body }))
      }),
    runSpare,
    setLimits: queue.setLimits,
    counters: name => ({ ended: 0, failed: 0, ...ended.get(name), inFlight: inFlight.get(name) ?? 0 }),
    stats() {
      const { slots, running, queued } = queue
      const all = { slots, running, queued, batch: queue.batch, queueLimit: options.queueLimit }
      if (hostQueue === undefined) return all
      return {
        ...all,
        slots: slots + hostQueue.slots,
        running: running + hostQueue.running,
        queued: queued + hostQueue.queued,
        device: { slots, running, queued },
      }
    },
    serviceTimes: () => Object.fromEntries(services),
    drain: () => {
      draining = true
      return Promise.all([queue.idle(), hostQueue?.idle()]).then(() => undefined)
    },
  }
}
