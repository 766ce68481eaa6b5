/** From everything that bounds concurrency to the limits in force, and why: pure. */
import type { Ceiling } from './ceiling.ts'
import type { SlotLimits } from './slot-queue.ts'

export interface LimitFacts {
  /** The operating point of now, alone or beside training. */
  point: SlotLimits
  /** Threads that the pool has; its models were checked for batches up to `batch`. */
  pool: SlotLimits
  ceiling: Ceiling
  /** Slots held back since the latency bound was broken. */
  heldBack: number
}

export interface LimitsInForce extends SlotLimits {
  /** What made them less than the operating point, in words. */
  reasons: string[]
}

/** At least one slot, and batches of at least one. */
export function limitsInForce({ point, pool, ceiling, heldBack }: LimitFacts): LimitsInForce {
  const reasons: string[] = []
  const lower = (value: number, limit: number, why: string) => {
    if (limit < value) reasons.push(why)
    return Math.min(value, limit)
  }
  let slots = lower(point.slots, pool.slots, `the pool has ${pool.slots} threads`)
  if (ceiling.slots !== null)
    slots = lower(slots, ceiling.slots, `memory ran out with more than ${ceiling.slots} slots`)
  slots = lower(slots, Math.max(1, slots - heldBack), `p95 was over its bound: ${heldBack} slots held back`)
  let batch = lower(point.batch, pool.batch, `models were loaded for batches of ${pool.batch}`)
  if (ceiling.batch !== null)
    batch = lower(batch, ceiling.batch, `memory ran out with batches over ${ceiling.batch}`)
  return { slots, batch, reasons }
}
