/** Counts who uses what, and tells when something that is no longer wanted is no longer used. */
export function createLeases(onUnused: (id: string) => void) {
  const held = new Map<string, number>()
  const unwanted = new Set<string>()
  return {
    take(id: string): () => void {
      held.set(id, (held.get(id) ?? 0) + 1)
      let released = false
      return () => {
        if (released) return
        released = true
        const left = (held.get(id) ?? 1) - 1
        if (left > 0) held.set(id, left)
        else {
          held.delete(id)
          if (unwanted.delete(id)) onUnused(id)
        }
      }
    },
    /** `id` serves again, so that it is not given up. */
    want(id: string): void {
      unwanted.delete(id)
    },
    /** Given up at once, or with its last lease. */
    giveUp(id: string): void {
      if (held.has(id)) unwanted.add(id)
      else onUnused(id)
    },
  }
}
