/**
 * The limits of now: watches run times and memory, and sets the dispatcher's slots and batch. Each decision is a pure
 * function of its own file; this keeps their state, tells the log, and remembers what must survive.
 */
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../observe/log.ts'
import { createLatencyWindow, latencyWindowMs } from '../profiling/latency-window.ts'
import { openState } from '../state/state-file.ts'
import { type Ceiling, ceilingInForce, ceilingSchema, lowerCeiling, noCeiling } from './ceiling.ts'
import { type LimitsInForce, limitsInForce } from './limits-in-force.ts'
import type { SlotLimits } from './slot-queue.ts'
import { type WatchState, watchBegin, watchBound } from './watch-bound.ts'

/** What is asked of the box now. */
export interface OperatingState {
  point: SlotLimits
  /** p95 of run times that the profile's bound allows; undefined: no profile. Unit: ms. */
  boundMs: number | undefined
  /** When the profile was measured, in ISO 8601. */
  profiledAt: string | undefined
}

export interface SchedulerOptions {
  dataDir: string
  pool: SlotLimits
  clock: Clock
  log: Logger
  /** Length of a window of the watch. Default 5,000 ms. */
  windowMs?: number
}

export interface SchedulerView extends LimitsInForce {
  point: SlotLimits
  boundMs: number | null
  /** Of the run times in the window of now. */
  p95Ms: number | null
  heldBack: number
  ceiling: Ceiling
}

export interface Scheduler {
  /** Changes the operating point; what the watch has held back is forgotten, since another point is another promise. */
  operate(state: OperatingState): void
  /** A request that was answered: how long it waited for a slot, and ran. */
  ran(times: { queueMs: number; runMs: number }): void
  /** See {@link lowerCeiling}. */
  outOfMemory(size: number, running: number): void
  view(): SchedulerView
  close(): void
}

const stateSchema = z.object({ version: z.literal(1), ceiling: ceilingSchema })

/** `apply` is called with the limits whenever they change, and once at the start. */
export async function createScheduler(
  initial: OperatingState,
  options: SchedulerOptions,
  apply: (limits: SlotLimits) => void,
): Promise<Scheduler> {
  const { dataDir, pool, clock, log, windowMs = latencyWindowMs } = options
  const state = await openState(join(dataDir, 'state', 'ceiling.json'), stateSchema, {
    version: 1,
    ceiling: noCeiling,
  })
  const recent = createLatencyWindow(clock, windowMs)
  const whole = createLatencyWindow(clock, windowMs)
  let operating = initial
  let watch: WatchState = watchBegin
  let limits = evaluate()
  apply(limits)

  function evaluate(): LimitsInForce {
    const ceiling = ceilingInForce(state.data.ceiling, operating.profiledAt)
    return limitsInForce({ point: operating.point, pool, ceiling, heldBack: watch.heldBack })
  }

  function update(why: string): void {
    const before = limits
    limits = evaluate()
    if (before.slots === limits.slots && before.batch === limits.batch) return
    log.info({ ...limits, from: { slots: before.slots, batch: before.batch }, why }, 'limits')
    apply(limits)
  }

  function look(): void {
    const { boundMs, point } = operating
    const p95Ms = recent.p95()
    const wholeP95Ms = whole.p95()
    const facts = { p95Ms, wholeP95Ms, count: recent.count(), boundMs, slots: point.slots }
    const next = watchBound(watch, facts)
    const changed = next.heldBack !== watch.heldBack
    watch = next
    const ms = (time: number | undefined) => `${time?.toFixed(1) ?? 'unknown'} ms`
    if (changed) update(`p95 ${ms(p95Ms)}, with waiting ${ms(wholeP95Ms)}, bound ${ms(boundMs)}`)
  }
  const timer = setInterval(look, windowMs).unref()

  return {
    operate(next) {
      if (next.point.slots !== operating.point.slots) watch = watchBegin
      operating = next
      recent.clear()
      whole.clear()
      update('operating point')
    },
    ran({ queueMs, runMs }) {
      recent.add(runMs)
      whole.add(queueMs + runMs)
    },
    outOfMemory(size, running) {
      const at = new Date(clock.now()).toISOString()
      state
        .update(draft => {
          const known = ceilingInForce(draft.ceiling, operating.profiledAt)
          draft.ceiling = lowerCeiling(known, { size, running, at })
        })
        .then(() => update(size > 1 ? `a batch of ${size} did not fit into memory` : 'memory ran out'))
        .catch(error => log.error({ err: error }, 'the memory ceiling could not be saved'))
    },
    view: () => ({
      ...limits,
      point: operating.point,
      boundMs: operating.boundMs ?? null,
      p95Ms: recent.p95() ?? null,
      heldBack: watch.heldBack,
      ceiling: ceilingInForce(state.data.ceiling, operating.profiledAt),
    }),
    close: () => clearInterval(timer),
  }
}
