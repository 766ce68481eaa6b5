/** Which of those who wait go out together, and how many at most: pure choices. */
import type { ServiceTime } from './service-time.ts'

export interface BatchFacts {
  /** The most that may go out together, where the first who waits allows no more. */
  batch: number
  /** Slots that are free, one of them for this batch. */
  free: number
}

/**
 * The first who waits, and those after it with the same key, by arrival: never more than `batch`, or than `together` of
 * the first where that is more, and no more than its share when several slots are free. `undefined` as a key goes alone.
 */
export function chooseBatch<Waiting extends { key: string | undefined; together?: number | undefined }>(
  waiting: Iterable<Waiting>,
  { batch, free }: BatchFacts,
): Waiting[] {
  const [first] = waiting
  if (first === undefined) return []
  const most = Math.max(batch, first.together ?? 1)
  if (first.key === undefined || most <= 1) return [first]
  const alike = [...waiting].filter(({ key }) => key === first.key)
  const share = Math.ceil(alike.length / Math.max(1, free))
  return alike.slice(0, Math.min(most, share))
}

/** What a group may hold up the answer of its first request, or a request of another function behind it. Unit: ms. */
const groupMs = 2
const mostOfGroup = 8

/**
 * How many requests of a function without models may go out together whatever the batch: as many as a thread does in
 * 2 ms, at most 8. Runs that take no longer than the way to a thread and back share the way. `threadTime`: of one request
 * in a thread; 1 while nothing is known; one standard deviation on the safe side.
 */
export function shortRunsTogether(threadTime: ServiceTime | undefined): number {
  if (threadTime === undefined) return 1
  const ms = threadTime.meanMs + Math.sqrt(threadTime.variance)
  return Math.min(mostOfGroup, Math.max(1, Math.floor(groupMs / ms)))
}
