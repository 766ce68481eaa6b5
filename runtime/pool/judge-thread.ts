/** What to do with a thread, from what is seen of it from outside: pure. Doing it is watch-threads.ts's. */

/** Why a thread was ended; `exit` when it ended by itself. */
export type EndReason =
  | 'exit'
  | 'out-of-memory'
  | 'deadline'
  | 'stalled'
  | 'memory'
  | 'exception'
  | 'reloads'
  | 'heap'
  | 'resident-memory'

/** For these a thread is ended that has no task any more. */
export const isRetirement = (why: EndReason): boolean =>
  why === 'exception' || why === 'reloads' || why === 'heap' || why === 'resident-memory'

export interface ThreadFacts {
  /** Its task; undefined when it has none. */
  task?:
    | {
        /** Since it was sent. */
        ms: number
        /** What it may take, the grace included; undefined: it ends by itself. */
        limitMs: number | undefined
        /** Whether the thread has looked at it. */
        begun: boolean
      }
    | undefined
  /** It has begun a task before: a new one may take its time to start. */
  hasWorked: boolean
  inEngine: boolean
  /** Since its end was asked for; undefined when it was not. */
  leavingMs: number | undefined
  /** Another was started beside it. */
  replaced: boolean
}

export interface ThreadLimits {
  /** How long a thread that is not inside the engine may leave a task unseen. */
  stallMs: number
  /** How long a thread that shall end is waited for before another is started beside it. */
  patienceMs: number
  /** Threads that may be started beside those that do not end. */
  room: number
}

/**
 * `end`: it begins no run of the engine any more, and ends as soon as it is in none. `replace`: it does not end, since
 * it is inside the engine or another native call, so that one starts beside it.
 */
export type Verdict = { do: 'leave' } | { do: 'end'; why: EndReason } | { do: 'replace' }

export function judgeThread(facts: ThreadFacts, { stallMs, patienceMs, room }: ThreadLimits): Verdict {
  const { task, hasWorked, inEngine, leavingMs, replaced } = facts
  if (leavingMs !== undefined) {
    return leavingMs >= patienceMs && !replaced && room > 0 ? { do: 'replace' } : { do: 'leave' }
  }
  if (task === undefined) return { do: 'leave' }
  if (task.limitMs !== undefined && task.ms >= task.limitMs) return { do: 'end', why: 'deadline' }
  // What an answered request left behind holds the thread, and the next request has not begun.
  const stalled = hasWorked && !task.begun && !inEngine && task.ms >= stallMs
  return stalled ? { do: 'end', why: 'stalled' } : { do: 'leave' }
}
