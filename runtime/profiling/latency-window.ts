/** Run times of the last seconds, for a percentile of now. */
import type { Clock } from '../core/clock.ts'
import { percentile } from './latency.ts'

export interface LatencyWindow {
  add(ms: number): void
  /** Nearest-rank 95th percentile of what is in the window; undefined of none. */
  p95(): number | undefined
  count(): number
  clear(): void
}

/** What is recent, where nothing else is said. */
export const latencyWindowMs = 5000

/** What is kept at most: under a high rate the window is shorter than `spanMs`. */
const most = 2000

export function createLatencyWindow(clock: Clock, spanMs: number): LatencyWindow {
  let entries: { at: number; ms: number }[] = []
  const expire = () => {
    const since = clock.monotonic() - spanMs
    const firstKept = entries.findIndex(({ at }) => at >= since)
    if (firstKept !== 0) entries = firstKept === -1 ? [] : entries.slice(firstKept)
  }
  return {
    add(ms) {
      entries.push({ at: clock.monotonic(), ms })
      if (entries.length > 2 * most) entries = entries.slice(-most)
    },
    p95() {
      expire()
      const ascending = entries.map(({ ms }) => ms).sort((a, b) => a - b)
      return ascending.length === 0 ? undefined : percentile(ascending, 0.95)
    },
    count() {
      expire()
      return entries.length
    },
    clear() {
      entries = []
    },
  }
}
