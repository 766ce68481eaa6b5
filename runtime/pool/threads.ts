/**
 * The threads: a Piscina pool that is told which thread runs what, replaces those that end, and ends them only
 * outside the engine. What tasks mean is pool.ts's, who gets which thread is thread-book.ts's.
 */
import type { MessagePort } from 'node:worker_threads'
import { Piscina, queueOptionsSymbol } from 'piscina'
import type { PoolReply, PoolTask, ThreadMessage, ThreadSettings } from '../core/messages.ts'
import { builtEntry } from '../core/package-root.ts'
import { admitThread, barThread, closeGate, createNativeGate, forgetThread } from '../device/native-gate.ts'
import { threadsFor } from '../device/session.ts'
import type { Logger } from '../observe/log.ts'
import { createThreadBook, type ThreadBook } from './thread-book.ts'

export interface ThreadsOptions extends Omit<ThreadSettings, 'gate' | 'batch'> {
  /** The most requests that go to a thread together. Default 1. */
  batch?: number
  /** Fewer where the provider allows fewer. */
  threads: number
  log: Logger
  /** The module that runs in a thread. Default: the built worker. */
  entry?: string
  /** Takes what threads say beside the answers to their tasks. */
  onMessage?(message: ThreadMessage): void
  /** A thread that could not even start is started again after this. Default 5,000. */
  restartDelayMs?: number
}

export interface Threads {
  /** Threads that are up, and who has them. Nobody gets one while none is up and none is starting. */
  readonly book: ThreadBook
  /** Runs a task in a thread that the caller has taken. Rejects when the thread ends first. */
  send(task: PoolTask, threadId: number, transferList: (ArrayBuffer | MessagePort)[]): Promise<PoolReply>
  /** Ends a thread as soon as it is not inside the engine; another takes its place. */
  end(threadId: number): Promise<void>
  /** Whether there is a thread, or one is starting. */
  alive(): boolean
  /** Threads that ended and were replaced. */
  restarts(): number
  /** Waits until no thread is inside the engine, and ends them all. */
  close(): Promise<void>
}

/** Travels with a task to the balancer: the thread that it is for, or none when it only makes Piscina start one. */
interface Ticket {
  threadId: number | undefined
}

export function createThreads(options: ThreadsOptions): Threads {
  const {
    threads,
    log,
    entry = builtEntry('worker'),
    restartDelayMs = 5000,
    batch = 1,
    onMessage = () => {},
    ...settings
  } = options
  const count = threadsFor(settings.provider, threads)
  const gate = createNativeGate()
  const book = createThreadBook()
  let restarts = 0
  let closing = false
  let restartTimer: NodeJS.Timeout | undefined

  const workerData: ThreadSettings = { gate, batch, ...settings }
  const piscina = new Piscina<PoolTask, PoolReply>({
    filename: entry,
    minThreads: count,
    maxThreads: count,
    idleTimeout: Number.POSITIVE_INFINITY,
    // A run blocks its thread, so a second task would only wait there while another thread is free.
    concurrentTasksPerWorker: 1,
    // Else a thread sleeps between tasks, and what a handler left behind fails in the middle of another's request.
    atomics: 'disabled',
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
    execArgv: ['--enable-source-maps'],
  })
  const admit = (threadId: number) => {
    admitThread(gate, threadId)
    book.add(threadId)
  }
  // The first threads take tasks at once, those that replace them when they say that they are up.
  for (const { threadId } of piscina.threads) admit(threadId)
  // Piscina counts a thread as ready only after its listeners have run.
  piscina.on('workerCreate', ({ id }: { id: number }) => queueMicrotask(() => admit(id)))
  piscina.on('workerDestroy', ({ id }: { id: number }) => {
    // A thread that threw is still alive in name; one that exited has no id any more and is missed among the others.
    const live = new Set(piscina.threads.map(({ threadId }) => threadId))
    for (const ended of book.ids().filter(known => known === id || !live.has(known))) {
      if (!closing) restarts += 1
      forgetThread(gate, ended)
      book.remove(ended)
    }
    // By then Piscina has started another, or has given up.
    queueMicrotask(replaceMissing)
  })
  piscina.on('message', onMessage)
  // A thread that dies without a task has nobody to tell but the log.
  piscina.on('error', error => log.error({ err: error }, 'a pool thread failed'))

  const missing = () => count - piscina.threads.length

  /** Piscina starts no more threads by itself once one has failed to start: memory may have been short, for a while. */
  function replaceMissing(): void {
    if (closing || missing() === 0) return
    if (missing() === count) book.dismiss()
    restartTimer ??= setTimeout(() => {
      restartTimer = undefined
      for (let left = missing(); left > 0; left -= 1) startThread()
    }, restartDelayMs).unref()
  }

  /** A task that no thread may have makes Piscina start one; it leaves the queue before it gets anywhere. */
  function startThread(): void {
    const leave = new AbortController()
    const task: PoolTask = { type: 'unload', deploymentId: '' }
    send(task, undefined, [], leave.signal).catch(() => {})
    leave.abort()
  }

  function send(
    task: PoolTask,
    threadId: number | undefined,
    transferList: (ArrayBuffer | MessagePort)[],
    signal: AbortSignal | null = null,
  ): Promise<PoolReply> {
    const ticket: Ticket = { threadId }
    return piscina.run(Object.assign(task, { [queueOptionsSymbol]: ticket }), { transferList, signal })
  }

  return {
    book,
    send: async (task, threadId, transferList) => send(task, threadId, transferList),
    async end(threadId) {
      await barThread(gate, threadId)
      await piscina.threads.find(thread => thread.threadId === threadId)?.terminate()
    },
    alive: () => missing() < count,
    restarts: () => restarts,
    async close() {
      closing = true
      clearTimeout(restartTimer)
      book.close()
      await closeGate(gate)
      await piscina.destroy()
    },
  }
}
