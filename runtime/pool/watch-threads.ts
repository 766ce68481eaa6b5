/**
 * Looks at the threads again and again and does what judge-thread.ts, choose-memory-hog.ts and choose-recycling.ts
 * say: those that hold a task past its time, or take too much memory, are ended; worn ones are replaced.
 */
import type { Logger } from '../observe/log.ts'
import { chooseMemoryHog } from './choose-memory-hog.ts'
import { chooseRecycling, heapRestMs, type WearLimits } from './choose-recycling.ts'
import { isRetirement, judgeThread, type ThreadLimits } from './judge-thread.ts'
import type { Threads } from './threads.ts'

export interface WatchOptions extends Omit<ThreadLimits, 'room'> {
  log: Logger
  /** Resident bytes by which the process may grow in one task. */
  taskMemoryBytes: number
  wear: WearLimits
  /**
   * Between two replacements of worn threads, and before another try where none could be started. The code of a new thread
   * is not compiled yet: were all of them new, they would not keep up with the load.
   */
  recyclingRestMs: number
  /** Default 100. */
  lookEveryMs?: number
}

export interface WatchedTask {
  /** What it may take, a grace included; undefined: it ends by itself. */
  limitMs: number | undefined
  /** It may take as much memory as it needs. */
  loads: boolean
}

export interface ThreadWatch {
  /** A task is sent to a thread. Call what it answers when the task has ended. */
  begin(threadId: number, task: WatchedTask): () => void
  close(): void
}

interface Running extends WatchedTask {
  startedAt: number
  rssBefore: number
}

export function watchThreads(threads: Threads, options: WatchOptions): ThreadWatch {
  const { log, stallMs, patienceMs, taskMemoryBytes, wear, recyclingRestMs, lookEveryMs = 100 } = options
  const running = new Map<number, Running>()
  let rss = process.memoryUsage.rss()
  let recycling = false
  let heapRest = { ms: recyclingRestMs, until: 0 }

  function look(): void {
    rss = process.memoryUsage.rss()
    judgeAll()
    watchMemory()
    void recycle()
  }

  function judgeAll(): void {
    for (const member of threads.members()) {
      const { threadId, begun, begunLast, inEngine, leaving, replaced } = member
      const task = running.get(threadId)
      const ms = performance.now() - (task?.startedAt ?? 0)
      const facts = {
        task: task && { ms, limitMs: task.limitMs, begun: begunLast },
        hasWorked: begun > 0,
        inEngine,
        leavingMs: leaving?.sinceMs,
        replaced,
      }
      const verdict = judgeThread(facts, { stallMs, patienceMs, room: threads.room() })
      if (verdict.do === 'end') {
        log.error(
          { thread: threadId, why: verdict.why, ms, inEngine },
          'a thread holds its task for too long',
        )
        void threads.end(threadId, verdict.why)
      } else if (verdict.do === 'replace') {
        log.error({ thread: threadId, inEngine }, 'a thread does not end; another is started beside it')
        void threads.startBeside(threadId)
      }
    }
  }

  function watchMemory(): void {
    const members = threads.members()
    // What a load takes stays taken; and what a hog took is given back when it is gone.
    const hogLeaves = members.some(({ leaving }) => leaving !== undefined && !isRetirement(leaving.why))
    if (hogLeaves || [...running.values()].some(({ loads }) => loads)) {
      for (const task of running.values()) task.rssBefore = Math.max(task.rssBefore, rss)
      return
    }
    const users = members.flatMap(({ threadId, inEngine, busy }) => {
      const task = running.get(threadId)
      return task === undefined ? [] : [{ threadId, inEngine, busy: busy(), rssBefore: task.rssBefore }]
    })
    const hog = chooseMemoryHog(users, { rss, allowedBytes: taskMemoryBytes })
    if (hog === undefined) return
    log.error({ thread: hog, rss, taskMemoryBytes }, 'a task takes too much memory, and its thread is ended')
    void threads.end(hog, 'memory')
  }

  /** The replacement takes tasks before the worn thread stops; where there may be no other, the one comes after the other. */
  async function recycle(): Promise<void> {
    const members = threads.members().filter(({ leaving }) => leaving === undefined)
    const now = performance.now()
    const limits = now < heapRest.until ? { ...wear, heapBytes: Number.POSITIVE_INFINITY } : wear
    const choice = recycling ? undefined : chooseRecycling(members, limits, rss)
    if (choice === undefined) return
    recycling = true
    const { threadId, why } = choice
    if (why === 'heap') {
      const livedMs = members.find(member => member.threadId === threadId)?.livedMs ?? 0
      const ms = heapRestMs(heapRest.ms, livedMs, recyclingRestMs)
      heapRest = { ms, until: now + ms }
    }
    const replacement = await threads.startBeside(threadId)
    if (replacement !== undefined || threads.spares === 0) {
      log.info({ thread: threadId, why, replacement }, 'a worn thread is replaced')
      await threads.retire(threadId, why)
    }
    setTimeout(() => {
      recycling = false
    }, recyclingRestMs).unref()
  }

  const timer = setInterval(look, lookEveryMs).unref()

  return {
    begin(threadId, task) {
      const entry = { ...task, startedAt: performance.now(), rssBefore: rss }
      running.set(threadId, entry)
      return () => {
        if (running.get(threadId) === entry) running.delete(threadId)
      }
    },
    close: () => clearInterval(timer),
  }
}
