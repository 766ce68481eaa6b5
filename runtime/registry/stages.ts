/** How long the stages of a deployment took: what a save waits for until it is live. */
import type { Clock } from '../core/clock.ts'

export interface Stages {
  /** The stage that began with the one before has ended. */
  ended(stage: string): void
  /** Milliseconds by stage, such as `buildMs`, and `totalMs`. */
  summary(): Record<string, number>
}

export function createStages(clock: Pick<Clock, 'monotonic'>): Stages {
  const startedAt = clock.monotonic()
  const times: Record<string, number> = {}
  let last = startedAt
  const round = (ms: number) => Math.round(ms * 10) / 10
  return {
    ended(stage) {
      const now = clock.monotonic()
      times[`${stage}Ms`] = round(now - last)
      last = now
    },
    summary: () => ({ ...times, totalMs: round(clock.monotonic() - startedAt) }),
  }
}
