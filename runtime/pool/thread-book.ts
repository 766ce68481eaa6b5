/**
 * Which thread does what: free threads are handed out first come, first served, or one certain thread to who asks
 * for that one. Pure: knows ids, not threads. Tasks wait here and not in Piscina's queue, which cannot keep a
 * thread for a certain task without holding up all tasks behind it.
 */

export interface ThreadBook {
  /** A thread is there and free. */
  add(threadId: number): void
  /** It has ended, whatever it was doing. */
  remove(threadId: number): void
  /** Resolves to a thread that is the caller's until it is given back; undefined once the book is closed, or when dismissed. */
  take(): Promise<number | undefined>
  /** The same for one thread, before all who take any; undefined when it has ended, too. */
  takeThread(threadId: number): Promise<number | undefined>
  giveBack(threadId: number): void
  ids(): number[]
  /** Those that nobody has. */
  free(): number[]
  busy(): number
  /** Resolves when no thread is taken and nobody waits for one. */
  idle(): Promise<void>
  /** Who waits gets no thread. */
  dismiss(): void
  /** Who waits, and who comes later, gets no thread. Those that are taken are given back as ever. */
  close(): void
}

type Waiter = (threadId: number | undefined) => void

export function createThreadBook(): ThreadBook {
  const threads = new Map<number, { taken: boolean; waiting: Waiter[] }>()
  const queue: Waiter[] = []
  const idleListeners: (() => void)[] = []
  let closed = false

  const busy = () => [...threads.values()].filter(({ taken }) => taken).length
  const isIdle = () => busy() === 0 && queue.length === 0

  /** Hands a thread that has become free to the next who wants it. */
  function offer(threadId: number): void {
    const thread = threads.get(threadId)
    if (thread === undefined) return
    const next = thread.waiting.shift() ?? queue.shift()
    thread.taken = next !== undefined
    next?.(threadId)
  }

  function tellIdle(): void {
    if (isIdle()) for (const listener of idleListeners.splice(0)) listener()
  }

  function dismiss(): void {
    const certain = [...threads.values()].flatMap(({ waiting }) => waiting.splice(0))
    for (const resolve of [...queue.splice(0), ...certain]) resolve(undefined)
    tellIdle()
  }

  return {
    add(threadId) {
      if (threads.has(threadId)) return
      threads.set(threadId, { taken: false, waiting: [] })
      offer(threadId)
    },
    remove(threadId) {
      const waiting = threads.get(threadId)?.waiting ?? []
      threads.delete(threadId)
      for (const resolve of waiting) resolve(undefined)
      tellIdle()
    },
    take: () =>
      new Promise(resolve => {
        if (closed) return resolve(undefined)
        queue.push(resolve)
        const free = [...threads].find(([, { taken }]) => !taken)
        if (free !== undefined) offer(free[0])
      }),
    takeThread: threadId =>
      new Promise(resolve => {
        const thread = threads.get(threadId)
        if (closed || thread === undefined) return resolve(undefined)
        thread.waiting.push(resolve)
        if (!thread.taken) offer(threadId)
      }),
    giveBack(threadId) {
      offer(threadId)
      tellIdle()
    },
    ids: () => [...threads.keys()],
    free: () => [...threads].flatMap(([id, { taken }]) => (taken ? [] : [id])),
    busy,
    idle: () => (isIdle() ? Promise.resolve() : new Promise(resolve => idleListeners.push(resolve))),
    dismiss,
    close() {
      closed = true
      dismiss()
    },
  }
}
