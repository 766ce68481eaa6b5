/** How much each function is asked: counts that fade, in `state/traffic.json`. What is made of them is the profile's. */
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import { openState, readState } from '../state/state-file.ts'
import type { Logger } from './log.ts'

/** Requests count for half after a day, for a hundredth after a week. */
export const halfLifeMs = 24 * 3600 * 1000
/** What is left of less is forgotten: a function that is gone leaves nothing behind for ever. */
const leastCount = 0.01

const stateSchema = z.object({
  version: z.literal(1),
  /** When the counts were what they are, in ms since 1970. */
  at: z.number(),
  requests: z.record(z.string(), z.number().nonnegative()),
})

export type Counts = ReadonlyMap<string, number>

/** What is left of counts after some time. A clock that was set back adds nothing. */
export function faded(counts: Counts, elapsedMs: number): Map<string, number> {
  const left = 0.5 ** (Math.max(0, elapsedMs) / halfLifeMs)
  return new Map(
    [...counts].flatMap(([name, count]) =>
      count * left < leastCount ? [] : [[name, count * left] as const],
    ),
  )
}

export interface Traffic {
  /** One request of this function. */
  count(name: string): void
  /** Saves what was counted. */
  close(): Promise<void>
}

export interface TrafficOptions {
  dataDir: string
  clock: Clock
  log: Logger
  /** Between two writes, if there is something to write: a kill loses as much. Default: a minute. */
  saveMs?: number
}

const fileOf = (dataDir: string) => join(dataDir, 'state', 'traffic.json')

/** Throws `state-invalid`. */
export async function openTraffic({
  dataDir,
  clock,
  log,
  saveMs = 60_000,
}: TrafficOptions): Promise<Traffic> {
  const state = await openState(fileOf(dataDir), stateSchema, { version: 1, at: clock.now(), requests: {} })
  let fresh = new Map<string, number>()

  async function save(): Promise<void> {
    if (fresh.size === 0) return
    const counted = fresh
    fresh = new Map()
    await state.update(draft => {
      const counts = faded(new Map(Object.entries(draft.requests)), clock.now() - draft.at)
      for (const [name, count] of counted) counts.set(name, (counts.get(name) ?? 0) + count)
      draft.at = clock.now()
      draft.requests = Object.fromEntries(counts)
    })
  }

  const saveOrTell = () =>
    save().catch(error => log.error({ err: error }, 'what functions are asked could not be saved'))
  const timer = setInterval(saveOrTell, saveMs).unref()
  return {
    count(name) {
      fresh.set(name, (fresh.get(name) ?? 0) + 1)
    },
    close() {
      clearInterval(timer)
      return saveOrTell()
    },
  }
}

/**
 * What functions were asked until now, as far as it has been saved; a server may hold the data directory meanwhile.
 * Empty when nothing was. Throws `state-invalid`.
 */
export async function readTraffic(dataDir: string, now: number): Promise<Counts> {
  const state = await readState(fileOf(dataDir), stateSchema)
  return state === undefined ? new Map() : faded(new Map(Object.entries(state.requests)), now - state.at)
}
