/**
 * Counts who uses what, and tells when something that is no longer wanted is no longer used: `delayMs` later, so that the
 * first requests of what has replaced it need not share the threads with its release.
 */
export function createLeases(onUnused: (id: string) => void, delayMs: number) {
  const held = new Map<string, number>()
  const unwanted = new Set<string>()
  const leaving = new Map<string, NodeJS.Timeout>()

  function leave(id: string): void {
    clearTimeout(leaving.get(id))
    const timer = setTimeout(() => {
      leaving.delete(id)
      onUnused(id)
    }, delayMs)
    leaving.set(id, timer.unref())
  }
  function stay(id: string): boolean {
    clearTimeout(leaving.get(id))
    return leaving.delete(id)
  }

  return {
    take(id: string): () => void {
      if (stay(id)) unwanted.add(id)
      held.set(id, (held.get(id) ?? 0) + 1)
      let released = false
      return () => {
        if (released) return
        released = true
        const left = (held.get(id) ?? 1) - 1
        if (left > 0) held.set(id, left)
        else {
          held.delete(id)
          if (unwanted.delete(id)) leave(id)
        }
      }
    },
    /** `id` serves again, so that it is not given up. */
    want(id: string): void {
      stay(id)
      unwanted.delete(id)
    },
    /** Given up now, or with its last lease. */
    giveUp(id: string): void {
      if (held.has(id)) unwanted.add(id)
      else leave(id)
    },
    /** Tells nothing any more. */
    close(): void {
      for (const id of [...leaving.keys()]) stay(id)
    },
  }
}
