/**
 * The threads that run functions: any task in a thread that is free, some in every thread, and an end that waits
 * for what runs. Leaves who runs when to dispatch/, what a task does to worker/, and misbehaving threads to
 * watch-threads.ts.
 */
import type { MessagePort } from 'node:worker_threads'
import type { Deployment } from '../core/deployment.ts'
import { CorunError, serializeError } from '../core/errors.ts'
import { failureCodes, type PoolReply, type PoolTask } from '../core/messages.ts'
import { within } from '../core/within.ts'
import type { WearLimits } from './choose-recycling.ts'
import { createEverywhere } from './everywhere.ts'
import { createFarewell } from './farewell.ts'
import type { EndReason } from './judge-thread.ts'
import { createKnownDeployments } from './known-deployments.ts'
import { createStreamDesk, type StreamDesk } from './stream-desk.ts'
import { createThreads, ThreadEnded, type ThreadsOptions } from './threads.ts'
import { watchThreads } from './watch-threads.ts'

export interface PoolOptions extends Omit<ThreadsOptions, 'onMessage'> {
  /** After its deadline a request has this long before its thread is ended. Default 5,000. */
  deadlineGraceMs?: number
  /** How long a thread outside the engine may leave a task unseen. Default 2,000. */
  stallMs?: number
  /** How long a thread that shall end is waited for before another is started beside it. Default 1,000. */
  endPatienceMs?: number
  /** A deployment that takes longer to load, `init` included, does not load. Default 120,000. */
  loadLimitMs?: number
  /** Bytes by which the process may grow in one task. Default 1 GiB. */
  taskMemoryBytes?: number
  /** When a thread is replaced. Default: 200 reloads, 512 MiB of heap, no bound for the process. */
  wear?: Partial<WearLimits>
  /** From one replacement of a worn thread to the next. Default 10,000. */
  recyclingRestMs?: number
  /** Takes the lines that threads log; they are on standard error already. */
  onLogLine?(line: string): void
  /** How long `close` waits for tasks that are not inside the engine, such as an endless loop. Default 5,000. */
  closeGraceMs?: number
  /** A module whose top level takes longer is not a function: its thread is replaced. Default 10,000. */
  describeLimitMs?: number
  /**
   * What an unload may take beside its `dispose`: sessions are released, and the thread may have to wait for its turn. Default
   * 1,000.
   */
  unloadSlackMs?: number
  /**
   * How long a load everywhere waits for a thread that is busy, one in an endless loop maybe. Default 45,000: longer than
   * an `init` may take that never ends.
   */
  loadPatienceMs?: number
}

export interface PoolStats {
  threads: number
  busy: number
  /** Threads that ended and were replaced. */
  restarts: number
  restartsBy: Partial<Record<EndReason, number>>
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
  /**
   * Takes no new tasks, waits for those it has, and ends the threads when none is inside the engine; before, those that
   * are free dispose of their functions.
   */
  close(): Promise<void>
}

const defaultWear: WearLimits = {
  reloads: 200,
  heapBytes: 512 * 2 ** 20,
  residentBytes: Number.POSITIVE_INFINITY,
}

export function createPool(options: PoolOptions): Pool {
  const {
    closeGraceMs = 5000,
    describeLimitMs = 10_000,
    loadPatienceMs = 45_000,
    deadlineGraceMs = 5000,
    stallMs = 2000,
    endPatienceMs = 1000,
    loadLimitMs = 120_000,
    taskMemoryBytes = 2 ** 30,
    disposeLimitMs = 5000,
    unloadSlackMs = 1000,
    wear,
    recyclingRestMs = 10_000,
    onLogLine = () => {},
    ...rest
  } = options
  const { log } = options
  const streams = createStreamDesk()
  const threads = createThreads(
    {
      ...rest,
      disposeLimitMs,
      onMessage: message => (message.type === 'log' ? onLogLine(message.line) : streams.receive(message)),
    },
    { prepare: threadId => everywhere.prepare(threadId), farewell: threadId => farewell(threadId) },
  )
  const { book } = threads
  const watch = watchThreads(threads, {
    log,
    stallMs,
    patienceMs: endPatienceMs,
    taskMemoryBytes,
    wear: { ...defaultWear, ...wear },
    recyclingRestMs,
  })
  const known = createKnownDeployments(() => threads.members().map(({ threadId }) => threadId))
  const unloadLimitMs = disposeLimitMs + unloadSlackMs
  const farewell = createFarewell({
    toDispose: known.toDispose,
    send: (task, threadId) => threads.send(known.shorten(task, threadId), threadId, []),
    limitMs: unloadLimitMs,
    totalMs: 3 * unloadLimitMs,
    log,
  })
  let closed: Promise<void> | undefined

  /** Undefined while tasks are taken. */
  const refusal = (): CorunError | undefined => (closed === undefined ? undefined : refuse())
  const everywhere = createEverywhere({ book, send, post, run, refusal, log, loadPatienceMs })

  function refuse(): CorunError {
    return closed === undefined
      ? new CorunError('internal-error', 'the pool has no thread, since none starts; the log says why')
      : new CorunError('shutting-down', 'the pool takes no new tasks')
  }

  function limitOf(task: PoolTask): number | undefined {
    switch (task.type) {
      case 'describe':
      case 'describe-retraining':
        return describeLimitMs
      case 'prepare':
      case 'load':
        return loadLimitMs
      case 'invoke':
        return task.remainingMs + deadlineGraceMs
      case 'invoke-batch':
        return Math.max(...task.calls.map(({ remainingMs }) => remainingMs)) + deadlineGraceMs
      case 'unload':
        return unloadLimitMs
      case 'check-image':
        return undefined
    }
  }

  /** The thread is the caller's. Rejects with {@link ThreadEnded}. */
  async function send<Type extends PoolTask['type']>(
    task: Extract<PoolTask, { type: Type }>,
    threadId: number,
  ): Promise<PoolReply<Type>> {
    const ended = watch.begin(threadId, {
      limitMs: limitOf(task),
      loads: task.type === 'load' || task.type === 'prepare',
    })
    try {
      // The worker answers a task of a type with a result of that type.
      const reply = await threads.send(known.shorten(task, threadId), threadId, transferable(task))
      if (reply.ok) known.done(task, threadId)
      return reply as PoolReply<Type>
    } finally {
      ended()
    }
  }

  async function post<Type extends PoolTask['type']>(
    task: Extract<PoolTask, { type: Type }>,
    threadId: number,
  ): Promise<PoolReply<Type> | 'not-begun'> {
    const startedAt = performance.now()
    try {
      return await send(task, threadId)
    } catch (error) {
      if (closed !== undefined) return failed(refuse())
      const lost = error instanceof ThreadEnded ? error : new ThreadEnded('exit', true, error)
      const { begun, why } = lost
      const fields = { task: task.type, of: nameOf(task), thread: threadId, begun, why }
      log.error({ ...fields, err: error }, 'a task ended with its thread')
      if (!begun) return 'not-begun'
      const text = `${nameOf(task)}: ${reasonText(why, task, lost)}`
      const code =
        why === 'deadline' && task.type === 'invoke' ? 'deadline-exceeded' : failureCodes[task.type]
      return lostWith(new CorunError(code, text), performance.now() - startedAt)
    } finally {
      book.giveBack(threadId)
    }
  }

  function reasonText(why: EndReason, task: PoolTask, error: Error): string {
    switch (why) {
      case 'deadline':
        return task.type === 'describe' || task.type === 'describe-retraining'
          ? `its module was not loaded within ${describeLimitMs} ms`
          : `it ran for longer than ${limitOf(task)} ms, and its thread was ended`
      case 'memory':
        return `it took more than ${taskMemoryBytes} bytes of memory, and its thread was ended`
      case 'out-of-memory':
        return `its thread ran out of memory: ${error.message}`
      default:
        return `its thread ended: ${error.message}`
    }
  }

  async function run<Type extends PoolTask['type']>(
    task: Extract<PoolTask, { type: Type }>,
  ): Promise<PoolReply<Type>> {
    const startedAt = performance.now()
    const isWhole = transferable(task).length === 0
    let again = task
    // What another function left in a thread may end it before it begins this task: then another thread gets it.
    for (let tries = 1; ; tries += 1) {
      const threadId = threads.alive() ? await book.take() : undefined
      if (threadId === undefined) return failed(refuse())
      const reply = await post<Type>(again, threadId)
      if (reply !== 'not-begun') return reply
      const elapsedMs = performance.now() - startedAt
      if (!isWhole || tries === mostTries) {
        const details = { retryAfter: 1 }
        const text = `${nameOf(task)}: its thread ended before it began`
        return lostWith(new CorunError('thread-lost', text, { details }), elapsedMs)
      }
      if ('remainingMs' in task) again = { ...task, remainingMs: Math.max(1, task.remainingMs - elapsedMs) }
    }
  }

  async function shutDown(): Promise<void> {
    await within(book.idle(), closeGraceMs)
    watch.close()
    await threads.close()
  }

  return {
    run: task => (closed === undefined ? run(task) : Promise.resolve(failed(refuse()))),
    loadEverywhere: everywhere.load,
    unloadEverywhere: everywhere.unload,
    expectStream: streams.expectStream,
    stats() {
      const restartsBy = threads.restarts()
      const restarts = Object.values(restartsBy).reduce((sum, count) => sum + count, 0)
      return { threads: book.ids().length, busy: book.busy(), restarts, restartsBy }
    },
    close() {
      closed ??= shutDown()
      return closed
    },
  }
}

function failed<Type extends PoolTask['type']>(error: CorunError, runMs = 0): PoolReply<Type> {
  return { ok: false, error: serializeError(error, 'internal-error'), runMs }
}

function lostWith<Type extends PoolTask['type']>(error: CorunError, runMs: number): PoolReply<Type> {
  return { ok: false, error: serializeError(error, 'internal-error'), runMs, lost: true }
}

/** For messages: whose task it was. */
function nameOf(task: PoolTask): string {
  switch (task.type) {
    case 'describe':
    case 'describe-retraining':
      return `function "${task.function}"`
    case 'prepare':
    case 'load':
    case 'invoke':
    case 'invoke-batch':
      return `function "${task.deployment.function}"`
    case 'unload':
      return task.function === undefined ? `deployment ${task.deploymentId}` : `function "${task.function}"`
    case 'check-image':
      return 'a picture'
  }
}

/** Threads that a task is sent to while it has not begun. */
const mostTries = 3

/** A smaller body is copied, so that the request can be sent again when its thread ends before it begins. */
const movedBytes = 2 ** 20

/** Large bodies travel without a copy when they own their buffer whole; the port of a batch goes with it. */
function transferable(task: PoolTask): (ArrayBuffer | MessagePort)[] {
  switch (task.type) {
    case 'invoke':
      return wholeBuffer(task.request.body, movedBytes)
    case 'check-image':
      return wholeBuffer(task.body, movedBytes)
    case 'invoke-batch':
      return [task.port, ...task.calls.flatMap(({ request }) => wholeBuffer(request.body, movedBytes))]
    default:
      return []
  }
}

function wholeBuffer({ buffer, byteLength }: Uint8Array, least: number): ArrayBuffer[] {
  const whole = buffer instanceof ArrayBuffer && byteLength === buffer.byteLength
  return whole && byteLength >= least ? [buffer] : []
}
