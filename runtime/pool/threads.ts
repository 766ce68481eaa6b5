/**
 * The threads: a Piscina pool that is told which thread runs what, replaces those that end, and ends them only
 * outside the engine. What tasks mean is pool.ts's, who gets which thread is thread-book.ts's, and when one shall end
 * is watch-threads.ts's.
 */
import type { EventLoopUtilization } from 'node:perf_hooks'
import type { MessagePort, Worker } from 'node:worker_threads'
import { Piscina, queueOptionsSymbol } from 'piscina'
import type {
  PoolReply,
  PoolTask,
  StreamStart,
  ThreadLogLine,
  ThreadMessage,
  ThreadSettings,
} from '../core/messages.ts'
import { builtEntry } from '../core/package-root.ts'
import {
  admitThread,
  barThread,
  closeGate,
  createNativeGate,
  forgetThread,
  signsOf,
  type ThreadSigns,
} from '../device/native-gate.ts'
import { threadsFor } from '../device/session.ts'
import type { Logger } from '../observe/log.ts'
import type { EndReason } from './judge-thread.ts'
import { createThreadBook, type ThreadBook } from './thread-book.ts'

export interface ThreadsOptions extends Omit<ThreadSettings, 'gate' | 'batch'> {
  /** The most requests that go to a thread together. Default 1. */
  batch?: number
  /** Fewer where the provider allows fewer. */
  threads: number
  /** Threads that may be started beside those that do not end, or that shall be replaced. Default: as many again. */
  spares?: number
  log: Logger
  /** The file that runs in a thread, no ES module: see worker/thread.cts. Default: the built worker. */
  entry?: string
  /** Takes answers that begin before their task has ended. */
  onMessage?(message: StreamStart | ThreadLogLine): void
  /** A thread that could not even start is started again after this. Default 5,000. */
  restartDelayMs?: number
  /** V8 ends a thread whose heap reaches this in small steps. Default 4 GiB; see choose-memory-hog.ts. */
  heapLimitBytes?: number
}

/** A thread that is up. */
export interface Member extends ThreadSigns {
  threadId: number
  /** Since it is up. */
  livedMs: number
  /** Whether it has looked at the last task that was sent to it. */
  begunLast: boolean
  /** Deployments that it loaded since it takes tasks. */
  reloads: number
  leaving: { why: EndReason; sinceMs: number } | undefined
  replaced: boolean
  /** Share of the time since the last call that its event loop was busy, 0 to 1. */
  busy(): number
}

/** A thread ended before it answered a task. */
export class ThreadEnded extends Error {
  /** Whether it had begun the task. */
  readonly begun: boolean
  readonly why: EndReason

  constructor(why: EndReason, begun: boolean, cause: unknown) {
    super(cause instanceof Error ? cause.message : String(cause), { cause })
    this.why = why
    this.begun = begun
  }
}

export interface Threads {
  /** Threads that take tasks, and who has them. */
  readonly book: ThreadBook
  members(): Member[]
  /** Runs a task in a thread that the caller has taken. Rejects with {@link ThreadEnded} when the thread ends first. */
  send(task: PoolTask, threadId: number, transferList: (ArrayBuffer | MessagePort)[]): Promise<PoolReply>
  /** Ends a thread as soon as it is not inside the engine; another takes its place. It gets no task from now on. */
  end(threadId: number, why: EndReason): Promise<void>
  /** The same when it has no task, and has disposed of its functions. */
  retire(threadId: number, why: EndReason): Promise<void>
  /** Threads that may ever be started beside the others, and how many of them now. */
  readonly spares: number
  room(): number
  /** Starts one beside the others, for `insteadOf`; resolves when it takes tasks. Undefined when it does not start. */
  startBeside(insteadOf: number): Promise<number | undefined>
  /** Whether there is a thread, or one is starting and nothing speaks against it. */
  alive(): boolean
  /** Threads that ended and were replaced, by reason. */
  restarts(): Partial<Record<EndReason, number>>
  /** Waits until those without a task have disposed of their functions and none is inside the engine, and ends them all. */
  close(): Promise<void>
}

/** Travels with a task to the balancer: the thread that it is for, or none when it only makes Piscina start one. */
interface Ticket {
  threadId: number | undefined
}

interface Known {
  worker: Worker
  startedAt: number
  sent: number
  reloads: number
  leaving?: { why: EndReason; at: number }
  replaced: boolean
  /** Tasks that it had begun when it ended. */
  begunAtEnd?: number
  utilization: EventLoopUtilization
}

const mebibyte = 2 ** 20

export interface ThreadHooks {
  /** Awaited before a thread that replaces another takes tasks. */
  prepare(threadId: number): Promise<void>
  /** Awaited before a thread without a task is ended. Never rejects. */
  farewell(threadId: number): Promise<void>
}

export function createThreads(options: ThreadsOptions, { prepare, farewell }: ThreadHooks): Threads {
  const {
    threads,
    spares,
    log,
    entry = builtEntry('thread'),
    restartDelayMs = 5000,
    heapLimitBytes = 4096 * mebibyte,
    batch = 1,
    onMessage = () => {},
    ...settings
  } = options
  const count = threadsFor(settings.provider, threads)
  const most = threadsFor(settings.provider, count + (spares ?? count))
  const gate = createNativeGate()
  const book = createThreadBook()
  /** Threads that take no tasks yet. */
  const starting = new Set<number>()
  const known = new Map<number, Known>()
  const restarts: Partial<Record<EndReason, number>> = {}
  const arrivals: ((threadId: number | undefined) => void)[] = []
  const farewells = new Set<Promise<void>>()
  let startFails = false
  let closing = false
  let restartTimer: NodeJS.Timeout | undefined

  const workerData: ThreadSettings = { gate, batch, ...settings }
  const piscina = new Piscina<PoolTask, PoolReply>({
    filename: entry,
    minThreads: count,
    maxThreads: most,
    idleTimeout: Number.POSITIVE_INFINITY,
    // A run blocks its thread, so a second task would only wait there while another thread is free.
    concurrentTasksPerWorker: 1,
    // Else a thread sleeps between tasks, and what a handler left behind fails in the middle of another's request.
    atomics: 'disabled',
    recordTiming: false,
    resourceLimits: { maxOldGenerationSizeMb: Math.round(heapLimitBytes / mebibyte) },
    loadBalancer: (task, workers) => {
      // Every task comes from below, with a ticket.
      const { threadId } = task[queueOptionsSymbol] as unknown as Ticket
      if (threadId === undefined) return null
      const taken = workers.find(({ id }) => id === threadId)
      // Thrown, it rejects this task; left to wait in Piscina's queue, the task would never be looked at again.
      if (taken === undefined) throw new Error('the thread has ended')
      return taken
    },
    workerData,
    // Not the program's own: a thread turns source maps on by itself, once its own modules are there.
    execArgv: [],
  })

  /** Of those that Piscina has made: none may be ended before its modules are there. */
  function admitStarting(): void {
    for (const { threadId } of piscina.threads) {
      if (known.has(threadId) || starting.has(threadId)) continue
      starting.add(threadId)
      admitThread(gate, threadId, { starting: true })
    }
  }

  function know(threadId: number): boolean {
    const worker = piscina.threads.find(thread => thread.threadId === threadId)
    if (worker === undefined || known.has(threadId)) return false
    starting.delete(threadId)
    const utilization = worker.performance.eventLoopUtilization()
    const startedAt = performance.now()
    const thread: Known = { worker, startedAt, sent: 0, reloads: 0, replaced: false, utilization }
    known.set(threadId, thread)
    // Before Piscina hears of it and forgets the thread.
    worker.prependListener('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') leave(thread, 'out-of-memory')
    })
    return true
  }

  function leave(thread: Known, why: EndReason): boolean {
    if (thread.leaving !== undefined) return false
    thread.leaving = { why, at: performance.now() }
    return true
  }

  /** A thread that comes later is loaded with what serves before it takes tasks. */
  async function welcome(threadId: number): Promise<void> {
    if (!know(threadId)) return
    startFails = false
    await prepare(threadId)
    const thread = known.get(threadId)
    if (thread === undefined || thread.leaving !== undefined) return
    thread.reloads = 0
    arrivals.shift()?.(threadId)
    book.add(threadId)
  }

  admitStarting()
  // The first threads take tasks at once, those that replace them when they say that they are up.
  for (const { threadId } of piscina.threads) if (know(threadId)) book.add(threadId)
  // Piscina counts a thread as ready only after its listeners have run.
  piscina.on('workerCreate', ({ id }: { id: number }) => queueMicrotask(() => void welcome(id)))
  piscina.on('workerDestroy', ({ id }: { id: number }) => {
    // A thread that threw is still alive in name; one that exited has no id any more and is missed among the others.
    const live = new Set(piscina.threads.map(({ threadId }) => threadId))
    const gone = [...known].filter(([known]) => known === id || !live.has(known))
    for (const threadId of starting) {
      if (live.has(threadId) && threadId !== id) continue
      starting.delete(threadId)
      forgetThread(gate, threadId)
    }
    // One that ends before it has begun anything could not start; nobody knew the id of one that was to come.
    startFails = gone.every(([, { leaving }]) => leaving === undefined)
    for (const [ended, thread] of gone) {
      const why = thread.leaving?.why ?? 'exit'
      if (!closing) restarts[why] = (restarts[why] ?? 0) + 1
      thread.begunAtEnd = signsOf(gate, ended)?.begun ?? 0
      if (thread.begunAtEnd > 0) startFails = false
      forgetThread(gate, ended)
      known.delete(ended)
      book.remove(ended)
    }
    // By then Piscina has started another, or has given up.
    queueMicrotask(replaceMissing)
  })
  // A thread that dies without a task has nobody to tell but the log.
  piscina.on('error', error => log.error({ err: error }, 'a pool thread failed'))
  piscina.on('message', (message: ThreadMessage) => {
    if (message.type !== 'spoiled') return onMessage(message)
    const { threadId, ...origin } = message
    log.error({ thread: threadId, ...origin }, 'an exception was not caught, and its thread is replaced')
    // One that is being prepared takes no tasks yet, and can say no farewell.
    if (book.ids().includes(threadId)) void retire(threadId, 'exception')
    else void end(threadId, 'exception')
  })

  const missing = () => count - piscina.threads.length

  /** Piscina starts no more threads by itself once one has failed to start: memory may have been short, for a while. */
  function replaceMissing(): void {
    admitStarting()
    if (closing) return
    // None is on its way any more: who waits for one, such as beside another, waits in vain.
    if (starting.size === 0) for (const give of arrivals.splice(0)) give(undefined)
    if (missing() <= 0) return
    for (const give of arrivals.splice(0)) give(undefined)
    if (known.size === 0 && startFails) book.dismiss()
    restartTimer ??= setTimeout(() => {
      restartTimer = undefined
      for (let left = missing(); left > 0; left -= 1) startThread()
    }, restartDelayMs).unref()
  }

  /** A task that no thread may have makes Piscina start one; it leaves the queue before it gets anywhere. */
  function startThread(): void {
    const leave = new AbortController()
    const task: PoolTask = { type: 'unload', deploymentId: '' }
    post(task, undefined, [], leave.signal).catch(() => {})
    leave.abort()
    admitStarting()
  }

  function post(
    task: PoolTask,
    threadId: number | undefined,
    transferList: (ArrayBuffer | MessagePort)[],
    signal: AbortSignal | null = null,
  ): Promise<PoolReply> {
    const ticket: Ticket = { threadId }
    return piscina.run(Object.assign(task, { [queueOptionsSymbol]: ticket }), { transferList, signal })
  }

  async function end(threadId: number, why: EndReason, before = async (_: number) => {}): Promise<void> {
    const thread = known.get(threadId)
    if (thread === undefined || !leave(thread, why)) return
    book.remove(threadId)
    await before(threadId)
    await barThread(gate, threadId)
    await thread.worker.terminate()
  }

  async function retire(threadId: number, why: EndReason): Promise<void> {
    if ((await book.takeThread(threadId)) !== undefined) await end(threadId, why, sayFarewell)
  }

  /** A close waits for those that are said, too. */
  async function sayFarewell(threadId: number): Promise<void> {
    const said = farewell(threadId)
    farewells.add(said)
    await said
    farewells.delete(said)
  }

  return {
    book,
    members: () =>
      Array.from(known, ([threadId, thread]) => {
        const { startedAt, sent, reloads, leaving, replaced } = thread
        const signs = signsOf(gate, threadId) ?? { inEngine: false, begun: 0, heapBytes: 0 }
        const now = performance.now()
        return {
          threadId,
          livedMs: now - startedAt,
          ...signs,
          begunLast: signs.begun >= sent,
          reloads,
          leaving: leaving && { why: leaving.why, sinceMs: now - leaving.at },
          replaced,
          busy: () => busyShare(thread),
        }
      }),
    async send(task, threadId, transferList) {
      const thread = known.get(threadId)
      if (thread === undefined) throw new ThreadEnded('exit', false, 'the thread has ended')
      thread.sent += 1
      const place = thread.sent
      if (task.type === 'load') thread.reloads += 1
      try {
        return await post(task, threadId, transferList)
      } catch (error) {
        const begun = thread.begunAtEnd ?? signsOf(gate, threadId)?.begun ?? 0
        throw new ThreadEnded(thread.leaving?.why ?? 'exit', begun >= place, error)
      }
    },
    end: (threadId, why) => end(threadId, why),
    retire,
    spares: most - count,
    room: () => most - piscina.threads.length,
    startBeside(insteadOf) {
      const thread = known.get(insteadOf)
      if (closing || thread === undefined || piscina.threads.length >= most) return Promise.resolve(undefined)
      thread.replaced = true
      const arrival = new Promise<number | undefined>(resolve => arrivals.push(resolve))
      startThread()
      return arrival
    },
    alive: () => known.size > 0 || !startFails,
    restarts: () => ({ ...restarts }),
    async close() {
      closing = true
      clearTimeout(restartTimer)
      for (const give of arrivals.splice(0)) give(undefined)
      book.close()
      for (const threadId of book.free()) void sayFarewell(threadId)
      await Promise.all(farewells)
      await closeGate(gate)
      await piscina.destroy()
    },
  }
}

function busyShare(thread: Known): number {
  const now = thread.worker.performance.eventLoopUtilization()
  const { utilization } = thread.worker.performance.eventLoopUtilization(now, thread.utilization)
  thread.utilization = now
  return utilization
}
