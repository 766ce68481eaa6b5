/** Whether a trainer that asks before each step may take it, where the system cannot preempt one: a pure decision. */
import { isNearBound, type Latency } from './near-bound.ts'

export interface GrantFacts extends Latency {
  /** Requests that wait for a slot. */
  queued: number
  /** Since the trainer asked, without pauses. */
  waitedMs: number
  /** What its last step took; undefined: it has made none. */
  stepMs: number | undefined
  /** The floor: of the time, what steps get at the least, from 0 to 1. */
  share: number
}

export type Grant =
  | 'go'
  /** Go, although requests leave no room: else training would get less than its floor. */
  | 'floor'
  | 'wait'

export function grantStep(facts: GrantFacts): Grant {
  const { queued, waitedMs, stepMs, share } = facts
  // The first step shows what one takes.
  if (stepMs === undefined || (queued === 0 && !isNearBound(facts))) return 'go'
  // Steps of s after waits of w get s / (s + w) of the time.
  return share > 0 && waitedMs >= (stepMs * (1 - share)) / share ? 'floor' : 'wait'
}
