/** What this box has been seen not to have the memory for: pure steps, and the form in which it is remembered. */
import { z } from 'zod'

/** Most that may run at once; null: nothing is known against any number. */
export const ceilingSchema = z.object({
  slots: z.int().min(1).nullable(),
  batch: z.int().min(1).nullable(),
  /** ISO 8601, of the last time that memory ran out; null: never. */
  at: z.string().nullable(),
})
export type Ceiling = z.output<typeof ceilingSchema>

export const noCeiling: Ceiling = { slots: null, batch: null, at: null }

export interface OutOfMemory {
  /** Requests that ran as one batch; 1: a single one failed. */
  size: number
  /** Slots that were in use. */
  running: number
  at: string
}

/** A batch that did not fit is halved; else one slot fewer than were in use. Never below one of each. */
export function lowerCeiling(ceiling: Ceiling, { size, running, at }: OutOfMemory): Ceiling {
  const least = (known: number | null, next: number) => Math.max(1, Math.min(known ?? next, next))
  return size > 1
    ? { ...ceiling, batch: least(ceiling.batch, Math.floor(size / 2)), at }
    : { ...ceiling, slots: least(ceiling.slots, running - 1), at }
}

/** A profile that was measured later has seen the same box and knows better. */
export function ceilingInForce(ceiling: Ceiling, profiledAt: string | undefined): Ceiling {
  const outdated =
    profiledAt !== undefined && ceiling.at !== null && Date.parse(profiledAt) > Date.parse(ceiling.at)
  return outdated ? noCeiling : ceiling
}
