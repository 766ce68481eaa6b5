/**
 * Training's floor on a CPU: pure steps from what the trainer has got to whether it runs in the idle class or, for a
 * burst, in the normal one. A trainer that starves in the idle class cannot raise itself.
 */
import { isNearBound, type Latency } from './near-bound.ts'

export interface PaceState {
  level: 'idle' | 'burst'
  /** Processor time that the floor owes the trainer; negative: it is ahead. Unit: ms. */
  owedMs: number
}

export const paceBegin: PaceState = { level: 'idle', owedMs: 0 }

export interface PaceFacts extends Latency {
  /** Since the last look, without pauses. */
  elapsedMs: number
  /** Processor time that the trainer got in it, all threads together. */
  ranMs: number
  /** Threads that it computes with: what it would take alone. */
  threads: number
  /** The floor, of what it would take alone, from 0 to 1. */
  share: number
}

/** What it got in good times is soon forgotten, what it is owed is not: debts of this long are made up for. */
const creditMs = 1000
const debtMs = 10_000
/** Behind or ahead by the floor of this long a burst begins or ends: fewer would switch more often. */
const slackMs = 500

/**
 * A burst lasts until the trainer is ahead; with p95 near its bound, no longer than the floor needs. Its niceness is
 * such that it gets about twice the floor meanwhile (device/priority.ts), so that a request is not slowed by half but a
 * little, and a step of any length gets on.
 */
export function paceTraining(state: PaceState, facts: PaceFacts): PaceState {
  const { elapsedMs, ranMs, threads, share } = facts
  const due = (ms: number) => ms * threads * share
  const owedMs = clamp(state.owedMs + due(elapsedMs) - ranMs, -due(creditMs), due(debtMs))
  if (share <= 0) return paceBegin
  if (state.level === 'idle') return { level: owedMs > due(slackMs) ? 'burst' : 'idle', owedMs }
  const enough = isNearBound(facts) ? 0 : -due(slackMs)
  return { level: owedMs <= enough ? 'idle' : 'burst', owedMs }
}

const clamp = (value: number, least: number, most: number) => Math.min(most, Math.max(least, value))
