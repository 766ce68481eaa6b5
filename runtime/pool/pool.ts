/**
 * The threads that run functions: any task in a thread that is free, some in every thread, and an end that waits
 * for what runs. Leaves who runs when to dispatch/, and what a task does to worker/.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Deployment } from '../core/deployment.ts'
import { CorunError, deserializeError, serializeError } from '../core/errors.ts'
import { failureCodes, type PoolReply, type PoolTask } from '../core/messages.ts'
import { createStreamDesk, type StreamDesk } from './stream-desk.ts'
import { createThreads, type ThreadsOptions } from './threads.ts'

export interface PoolOptions extends Omit<ThreadsOptions, 'onMessage'> {
  /** How long `close` waits for tasks that are not inside the engine, such as an endless loop. Default 5,000. */
  closeGraceMs?: number
  /** A module whose top level takes longer is not a function: its thread is replaced. Default 10,000. */
  describeLimitMs?: number
  /** How long a load everywhere waits for a thread that is busy, one in an endless loop maybe. Default 30,000. */
  loadPatienceMs?: number
}

export interface PoolStats {
  threads: number
  busy: number
  /** Threads that ended and were replaced. */
  restarts: number
}

export interface Pool {
  /** Runs a task in a thread that is free, or when one is. What went wrong, the end of the thread too, is a reply. */
  run<Type extends PoolTask['type']>(task: Extract<PoolTask, { type: Type }>): Promise<PoolReply<Type>>
  /**
   * Loads and warms the deployment in every thread, one after another, so that the others go on serving. A thread
   * that stays busy is not waited for: it loads when it is free. Rejects when one fails, or when none was free.
   */
  loadEverywhere(deployment: Deployment): Promise<void>
  /** Releases its sessions in every thread. */
  unloadEverywhere(deploymentId: string): Promise<void>
  /** See stream-desk.ts. */
  expectStream: StreamDesk['expectStream']
  stats(): PoolStats
  /** Takes no new tasks, waits for those it has, and ends the threads when none is inside the engine. */
  close(): Promise<void>
}

export function createPool(options: PoolOptions): Pool {
  const { closeGraceMs = 5000, describeLimitMs = 10_000, loadPatienceMs = 30_000, ...rest } = options
  const { log } = options
  const streams = createStreamDesk()
  const threads = createThreads({ ...rest, onMessage: streams.receive })
  const { book } = threads
  let closed: Promise<void> | undefined

  function refuse(): CorunError {
    return closed === undefined
      ? new CorunError('internal-error', 'the pool has no thread, since none starts; the log says why')
      : new CorunError('shutting-down', 'the pool takes no new tasks')
  }

  async function post<Type extends PoolTask['type']>(
    task: Extract<PoolTask, { type: Type }>,
    threadId: number,
  ): Promise<PoolReply<Type>> {
    const startedAt = performance.now()
    let timer: NodeJS.Timeout | undefined
    let late: string | undefined
    if (task.type === 'describe' || task.type === 'describe-retraining') {
      timer = setTimeout(() => {
        late = `its module was not loaded within ${describeLimitMs} ms`
        void threads.end(threadId)
      }, describeLimitMs)
    }
    try {
      // The worker answers a task of a type with a result of that type.
      return (await threads.send(task, threadId, transferable(task))) as PoolReply<Type>
    } catch (error) {
      if (closed !== undefined) return failed(refuse())
      log.error({ task: task.type, late, err: error }, 'a task ended with its thread')
      const why = late ?? `its thread ended: ${error instanceof Error ? error.message : String(error)}`
      const lost = new CorunError(failureCodes[task.type], `${nameOf(task)}: ${why}`)
      return failed(lost, performance.now() - startedAt)
    } finally {
      clearTimeout(timer)
      book.giveBack(threadId)
    }
  }

  async function run<Type extends PoolTask['type']>(
    task: Extract<PoolTask, { type: Type }>,
  ): Promise<PoolReply<Type>> {
    const threadId = threads.alive() ? await book.take() : undefined
    return threadId === undefined ? failed(refuse()) : post(task, threadId)
  }

  async function loadEverywhere(deployment: Deployment): Promise<void> {
    const task = () => ({ type: 'load', deployment }) as const
    const seen = new Set<number>()
    let loaded = 0
    let busy = 0
    // Threads that come meanwhile are seen too. A later one loads by itself, with its first request.
    for (;;) {
      if (closed !== undefined) throw refuse()
      const next = book.ids().find(threadId => !seen.has(threadId))
      if (next === undefined) break
      seen.add(next)
      const taking = book.takeThread(next)
      const threadId = await within(taking, loadPatienceMs)
      if (threadId === 'late') {
        busy += 1
        log.warn(
          { deployment: deployment.id, thread: next },
          'a thread stays busy, and loads when it is free',
        )
        void taking.then(free => (free === undefined ? undefined : post(task(), free)))
      } else if (threadId !== undefined) {
        const reply = await post(task(), threadId)
        if (!reply.ok) throw deserializeError(reply.error)
        loaded += 1
      }
    }
    if (loaded > 0) return
    // What no thread has loaded is not known to work.
    if (busy > 0) throw new CorunError('saturated', `no thread was free to load for ${loadPatienceMs} ms`)
    const reply = await run<'load'>(task())
    if (!reply.ok) throw deserializeError(reply.error)
  }

  /** In all threads at once, since it takes no time, and one that stays busy keeps none of the others waiting. */
  async function unloadEverywhere(deploymentId: string): Promise<void> {
    const unloads = book.ids().map(async id => {
      const threadId = await book.takeThread(id)
      if (threadId === undefined) return
      const reply = await post<'unload'>({ type: 'unload', deploymentId }, threadId)
      if (!reply.ok) log.warn({ deployment: deploymentId, err: reply.error }, 'a deployment was not unloaded')
    })
    await Promise.all(unloads)
  }

  async function shutDown(): Promise<void> {
    await within(book.idle(), closeGraceMs)
    await threads.close()
  }

  return {
    run: task => (closed === undefined ? run(task) : Promise.resolve(failed(refuse()))),
    loadEverywhere,
    unloadEverywhere,
    expectStream: streams.expectStream,
    stats: () => ({ threads: book.ids().length, busy: book.busy(), restarts: threads.restarts() }),
    close() {
      closed ??= shutDown()
      return closed
    },
  }
}

function failed<Type extends PoolTask['type']>(error: CorunError, runMs = 0): PoolReply<Type> {
  return { ok: false, error: serializeError(error, 'internal-error'), runMs }
}

async function within<T>(work: Promise<T>, ms: number): Promise<T | 'late'> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<'late'>(resolve => {
    timer = setTimeout(() => resolve('late'), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

/** For messages: whose task it was. */
function nameOf(task: PoolTask): string {
  switch (task.type) {
    case 'describe':
    case 'describe-retraining':
      return `function "${task.function}"`
    case 'load':
    case 'invoke':
    case 'invoke-batch':
      return `function "${task.deployment.function}"`
    case 'unload':
      return `deployment ${task.deploymentId}`
    case 'check-image':
      return 'a picture'
  }
}

/** Bodies travel without a copy when they own their buffer whole; the port of a batch goes with it. */
function transferable(task: PoolTask): (ArrayBuffer | MessagePort)[] {
  switch (task.type) {
    case 'invoke':
      return wholeBuffer(task.request.body)
    case 'check-image':
      return wholeBuffer(task.body)
    case 'invoke-batch':
      return [task.port, ...task.calls.flatMap(({ request }) => wholeBuffer(request.body))]
    default:
      return []
  }
}

function wholeBuffer({ buffer, byteLength }: Uint8Array): ArrayBuffer[] {
  const whole = buffer instanceof ArrayBuffer && byteLength === buffer.byteLength
  return whole && byteLength > 0 ? [buffer] : []
}
