/** Brings events that come close together into one call, when no more have come for a while. */

export interface Settle {
  /** Something has happened to `path`. */
  event(path: string): void
  close(): void
}

/** `quietMs` without an event end a wait, and `mostMs` end it in any case. */
export function createSettle(
  { quietMs, mostMs }: { quietMs: number; mostMs: number },
  onSettled: (paths: Set<string>) => void,
): Settle {
  let paths = new Set<string>()
  let quiet: NodeJS.Timeout | undefined
  let most: NodeJS.Timeout | undefined

  const clear = () => {
    clearTimeout(quiet)
    clearTimeout(most)
    most = undefined
  }
  const settled = () => {
    clear()
    const seen = paths
    paths = new Set()
    onSettled(seen)
  }
  return {
    event(path) {
      paths.add(path)
      clearTimeout(quiet)
      quiet = setTimeout(settled, quietMs)
      most ??= setTimeout(settled, mostMs)
    },
    close: clear,
  }
}
