/**
 * Which thread takes too much memory: pure. V8 ends a thread whose heap grows in small steps past its limit, but a
 * single allocation past it ends the process, and what lies outside of the heap has no limit at all. So the limit of
 * V8 is far away, and the rise of the process's memory while a task runs is watched instead.
 */

export interface MemoryUser {
  threadId: number
  /** Resident bytes of the process when its task was sent. */
  rssBefore: number
  /** Share of the time since the last look that its event loop was busy, 0 to 1. */
  busy: number
  inEngine: boolean
}

/**
 * The busiest of the threads in whose task the process has grown by more than `allowedBytes`; a thread inside the
 * engine takes memory that the profile knows of. Undefined when nobody is to blame.
 */
export function chooseMemoryHog(
  users: readonly MemoryUser[],
  { rss, allowedBytes }: { rss: number; allowedBytes: number },
): number | undefined {
  let hog: MemoryUser | undefined
  for (const user of users) {
    if (user.inEngine || rss - user.rssBefore <= allowedBytes) continue
    if (hog === undefined || user.busy > hog.busy) hog = user
  }
  return hog?.threadId
}
