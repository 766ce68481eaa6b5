/**
 * Holds a trainer's process, between any two instructions, while requests want every core. The idle class yields the
 * processor, but what it computes in the gaps of a full box takes the requests' caches and memory bandwidth, and each
 * way back to them takes time.
 */

export interface HoldOptions {
  pid: number
  /** Sends a signal; false: there is no such process. */
  signal?: (pid: number, name: 'SIGSTOP' | 'SIGCONT') => boolean
}

export interface Hold {
  /** Whether requests leave it no room. */
  crowded(is: boolean): void
  /** Whether it goes on all the same: its floor is due. */
  excused(is: boolean): void
  /** Since the last call. Unit: ms. */
  heldMs(): number
  /** It goes on. */
  end(): void
}

function send(pid: number, name: 'SIGSTOP' | 'SIGCONT'): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

/**
 * How long there must be room before a held trainer goes on: twice as long as the last time where requests then wanted
 * every core again at once, so that a full box has next to no gaps in which it runs; half as long where they did not.
 */
export function nextRoomMs(roomMs: number, ranMs: number): number {
  return ranMs < soonMs ? Math.min(mostRoomMs, roomMs * 2) : Math.max(leastRoomMs, roomMs / 2)
}

const leastRoomMs = 2
const mostRoomMs = 64
const soonMs = 10

export function createHold({ pid, signal = send }: HoldOptions): Hold {
  const state = { crowded: false, excused: false }
  let roomMs = leastRoomMs
  let releasedAt: number | undefined
  let heldSince: number | undefined
  let heldMs = 0
  let timer: NodeJS.Timeout | undefined

  function count(): void {
    if (heldSince === undefined) return
    const now = performance.now()
    heldMs += now - heldSince
    heldSince = now
  }

  function release(): void {
    clearTimeout(timer)
    timer = undefined
    if (heldSince === undefined) return
    count()
    heldSince = undefined
    releasedAt = performance.now()
    signal(pid, 'SIGCONT')
  }

  function update(): void {
    if (state.excused) release()
    else if (state.crowded) {
      clearTimeout(timer)
      timer = undefined
      if (heldSince !== undefined || !signal(pid, 'SIGSTOP')) return
      heldSince = performance.now()
      if (releasedAt !== undefined) roomMs = nextRoomMs(roomMs, heldSince - releasedAt)
    } else if (heldSince !== undefined) timer ??= setTimeout(release, roomMs)
  }

  return {
    crowded(is) {
      state.crowded = is
      update()
    },
    excused(is) {
      state.excused = is
      update()
    },
    heldMs() {
      count()
      const since = heldMs
      heldMs = 0
      return since
    },
    end: release,
  }
}
