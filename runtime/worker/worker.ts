/** The entry of a pool thread: takes a task, answers it. What went wrong is an answer too; nothing is thrown. */
import { getHeapStatistics } from 'node:v8'
import { type MessagePort, parentPort, threadId, workerData } from 'node:worker_threads'
import { serializeError } from '../core/errors.ts'
import {
  type BatchReply,
  failureCodes,
  type PoolReply,
  type PoolResults,
  type PoolTask,
  type ThreadMessage,
  type ThreadNotice,
  type ThreadSettings,
} from '../core/messages.ts'
import { beginTask, insideGate, showHeap, started } from '../device/native-gate.ts'
import { openDecoder, prepareImage } from '../images/prepare-image.ts'
import { createLogger } from '../observe/log.ts'
import { createDeployments } from './deployments.ts'
import { attribute, catchFaults, forbidExit, type Origin } from './faults.ts'
import { type InvokeOptions, invoke } from './invoke.ts'
import { invokeBatch } from './invoke-batch.ts'

// The pool starts this thread with these settings, and nobody else does.
const settings = workerData as ThreadSettings
const log = createLogger(settings.logLevel, {
  write: line => say({ type: 'log', line }),
}).child({ thread: threadId })
const deployments = createDeployments({ ...settings, threadId, log })

/** Beside the answers to tasks, on the thread's own port. */
function say(message: ThreadMessage, transfer: MessagePort[] = []): void {
  parentPort?.postMessage(message, transfer)
}
const post: InvokeOptions['post'] = say

const inEngine = <T>(work: () => Promise<T>) => insideGate(settings.gate, threadId, work)

const perform: {
  [Type in PoolTask['type']]: (task: Extract<PoolTask, { type: Type }>) => Promise<PoolResults[Type]>
} = {
  // What only some tasks need is imported by them: a thread that replaces another is up sooner.
  async describe({ function: name, bundle }) {
    const { describeFunction } = await import('./describe.ts')
    return describeFunction(name, bundle)
  },
  async 'describe-retraining'({ function: name, bundle }) {
    const { describeRetraining } = await import('./describe.ts')
    return describeRetraining(name, bundle)
  },
  async prepare({ deployment, folder }) {
    const { prepareModels } = await import('./prepare-models.ts')
    return { models: await prepareModels(deployment, { settings, log, folder, inEngine }) }
  },
  async load({ deployment }) {
    const startedAt = performance.now()
    await deployments.get(deployment)
    const loadMs = performance.now() - startedAt
    // So that the first picture need not wait for it; whoever brings one learns why there is no decoder.
    if (deployment.description.input.kind === 'image') inEngine(openDecoder).catch(() => {})
    return { loadMs }
  },
  unload: async ({ deploymentId }) => ({ unloaded: await deployments.unload(deploymentId) }),
  async invoke({ deployment, ...call }) {
    return invoke(await deployments.get(deployment), call, { log, post })
  },
  async 'invoke-batch'({ deployment, calls, port }) {
    const loaded = await deployments.get(deployment)
    return invokeBatch(loaded, calls, { log, post }, replies =>
      port.postMessage(replies, replies.flatMap(buffersOf)),
    )
  },
  async 'check-image'({ input, body }) {
    await inEngine(openDecoder)
    const { format, width, height } = await prepareImage(body, input)
    return { format, width, height }
  },
}

/** Answers own their bytes, so they leave without a copy. */
function buffersOf({ reply }: BatchReply): ArrayBuffer[] {
  const buffer = reply.ok ? reply.result.body.buffer : undefined
  return buffer instanceof ArrayBuffer && buffer.byteLength > 0 ? [buffer] : []
}

let isGuarded = false

/** With the first task: what goes wrong before it ends the thread, and tells that it does not start. */
function guard(): void {
  if (isGuarded) return
  isGuarded = true
  forbidExit()
  catchFaults(log, (error, origin) => {
    const notice: ThreadNotice = {
      type: 'spoiled',
      threadId,
      ...origin,
      error: serializeError(error, 'handler-error'),
    }
    parentPort?.postMessage(notice)
  })
}

export default async function handle<Type extends PoolTask['type']>(
  task: Extract<PoolTask, { type: Type }>,
): Promise<PoolReply<Type>> {
  const startedAt = performance.now()
  guard()
  beginTask(settings.gate, threadId)
  // The table above has for each type the function of that type, which the compiler cannot follow through an index.
  const run = perform[task.type] as (task: PoolTask) => Promise<PoolResults[Type]>
  try {
    const result = await attribute(originOf(task), () => run(task))
    return { ok: true, result, runMs: performance.now() - startedAt }
  } catch (error) {
    return {
      ok: false,
      error: serializeError(error, failureCodes[task.type]),
      runMs: performance.now() - startedAt,
    }
  } finally {
    tellHeap(startedAt)
  }
}

function originOf(task: PoolTask): Origin {
  if (task.type === 'invoke') {
    return { function: task.deployment.function, requestId: task.request.requestId }
  }
  if ('deployment' in task) return { function: task.deployment.function }
  return 'function' in task ? { function: task.function } : {}
}

let heapToldAt = 0

/** Once a second at most: it takes longer than a small task. */
function tellHeap(now: number): void {
  if (now - heapToldAt < 1000) return
  heapToldAt = now
  showHeap(settings.gate, threadId, getHeapStatistics().used_heap_size)
}

/** A thread may be faster than the side that has just made it. */
function tellStarted(): void {
  if (!started(settings.gate, threadId)) setImmediate(tellStarted)
}
tellStarted()
