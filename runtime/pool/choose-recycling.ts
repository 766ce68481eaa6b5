/** Which thread has served long enough: pure. Modules that a thread has imported are freed only with the thread. */

export interface ThreadWear {
  threadId: number
  /** Deployments that it loaded after it was put into service. */
  reloads: number
  heapBytes: number
}

export interface WearLimits {
  reloads: number
  heapBytes: number
  /** Of the whole process. */
  residentBytes: number
}

export interface Recycling {
  threadId: number
  why: 'reloads' | 'heap' | 'resident-memory'
}

/** One thread at a time, the most worn first. Where the process has grown too large, one without reloads has no part in it. */
export function chooseRecycling(
  threads: readonly ThreadWear[],
  limits: WearLimits,
  residentBytes: number,
): Recycling | undefined {
  const mostBy = (of: (thread: ThreadWear) => number) =>
    threads.reduce<ThreadWear | undefined>(
      (most, thread) => (most === undefined || of(thread) > of(most) ? thread : most),
      undefined,
    )
  const fullest = mostBy(({ heapBytes }) => heapBytes)
  if (fullest !== undefined && fullest.heapBytes > limits.heapBytes) {
    return { threadId: fullest.threadId, why: 'heap' }
  }
  const oldest = mostBy(({ reloads }) => reloads)
  if (oldest === undefined || oldest.reloads === 0) return undefined
  if (oldest.reloads >= limits.reloads) return { threadId: oldest.threadId, why: 'reloads' }
  return residentBytes > limits.residentBytes
    ? { threadId: oldest.threadId, why: 'resident-memory' }
    : undefined
}

/** A thread that is too full before this many rests have passed holds what its functions need. */
const soonRests = 20
const mostRestMs = 10 * 60_000

/**
 * How long no thread is replaced for its heap, after one was that lived for so long: twice as long as the last time where
 * it was young, because then new threads do not help, and cost.
 */
export function heapRestMs(lastMs: number, livedMs: number, leastMs: number): number {
  return livedMs > lastMs * soonRests ? leastMs : Math.min(Math.max(leastMs, mostRestMs), lastMs * 2)
}
