/**
 * Functions that are called by the clock. Each tick is computed when the one before is over, so that a change of the wall
 * clock or of the time zone's offset moves it; what is remembered of ticks survives a restart. Leaves the call to its caller.
 */
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../core/clock.ts'
import type { CheckedSchedule } from '../core/definition-schema.ts'
import { CorunError } from '../core/errors.ts'
import type { Logger } from '../observe/log.ts'
import { openState } from '../state/state-file.ts'
import { missedTick, nextTicks } from './ticks.ts'

export interface FunctionSchedulesOptions {
  dataDir: string
  clock: Clock
  log: Logger
  /** Calls the function for the tick that was due `at` (ISO 8601). Resolves to `ok` or an error code when it has ended. */
  call(name: string, at: string): Promise<string>
}

const lastRunSchema = z.object({
  /** The tick that it was for. */
  at: z.string(),
  startedAt: z.string(),
  endedAt: z.string(),
  /** `ok`, or an error code. */
  outcome: z.string(),
})
const keptSchema = z.object({
  paused: z.boolean(),
  /** Up to here, ticks have been seen. */
  seenUntil: z.string(),
  /** The function had no schedule, or was not there: ticks meanwhile were nobody's. */
  gone: z.boolean().optional(),
  lastRun: lastRunSchema.optional(),
})
const stateSchema = z.object({ version: z.literal(1), schedules: z.record(z.string(), keptSchema) })
type Kept = z.output<typeof keptSchema>

export const scheduleViewSchema = z.object({
  function: z.string(),
  cron: z.string(),
  timeZone: z.string().optional(),
  catchUp: z.boolean(),
  paused: z.boolean(),
  running: z.boolean(),
  /** The next five, ISO 8601; none while it is paused. */
  nextRuns: z.array(z.string()),
  lastRun: lastRunSchema.optional(),
})
export type ScheduleView = z.output<typeof scheduleViewSchema>

export interface FunctionSchedules {
  /**
   * Sets or replaces the schedule of a function, or removes it. A tick that was missed while the box was off is made up
   * for if it says so; a schedule that changes while the box is on has missed nothing.
   */
  set(name: string, schedule: CheckedSchedule | undefined): Promise<void>
  list(): ScheduleView[]
  /** These throw `unknown-schedule`. */
  get(name: string): ScheduleView
  /** Begins a call now. Throws `schedule-conflict` while one goes on. */
  run(name: string): Promise<ScheduleView>
  pause(name: string): Promise<ScheduleView>
  /** Ticks that passed meanwhile are not made up for. */
  resume(name: string): Promise<ScheduleView>
  close(): void
}

interface Job {
  schedule: CheckedSchedule
  timer: NodeJS.Timeout | undefined
}

/** Timers are looked at this often at the least: the wall clock may have been set. */
const longestWaitMs = 60_000

export async function openFunctionSchedules(options: FunctionSchedulesOptions): Promise<FunctionSchedules> {
  const { dataDir, clock, log, call } = options
  const state = await openState(join(dataDir, 'state', 'schedules.json'), stateSchema, {
    version: 1,
    schedules: {},
  })
  const jobs = new Map<string, Job>()
  const running = new Set<string>()
  let closed = false

  const nowIso = () => new Date(clock.now()).toISOString()
  const kept = (name: string): Kept =>
    Object.hasOwn(state.data.schedules, name)
      ? (state.data.schedules[name] as Kept)
      : { paused: false, seenUntil: nowIso() }
  const keep = (name: string, change: Partial<Kept>) =>
    state.update(({ schedules }) => {
      schedules[name] = { ...kept(name), ...change }
    })

  /** Waits for the next tick, if there is one. */
  function arm(name: string, job: Job): void {
    clearTimeout(job.timer)
    const [next] = nextTicks(job.schedule, new Date(clock.now()), 1)
    if (closed || next === undefined || kept(name).paused) return
    let seen = clock.now()
    const wait = () => {
      const now = clock.now()
      // A clock that was ahead has been set: other ticks lie before the one that was waited for.
      if (now < seen) return arm(name, job)
      seen = now
      const leftMs = next.getTime() - now
      if (leftMs > 0) job.timer = setTimeout(wait, Math.min(leftMs, longestWaitMs)).unref()
      else void tick(name, job, next).finally(() => (jobs.get(name) === job ? arm(name, job) : undefined))
    }
    wait()
  }

  async function tick(name: string, { schedule }: Job, due: Date): Promise<void> {
    // A timer that comes late, after a sleep of the box, is for the latest tick that has passed.
    const at = (missedTick(schedule, due, new Date(clock.now())) ?? due).toISOString()
    try {
      await keep(name, { seenUntil: at })
    } catch (error) {
      log.error({ function: name, err: error }, 'a tick was not remembered')
    }
    if (running.has(name))
      log.info({ function: name, at }, 'a scheduled call was skipped: the last one goes on')
    else void begin(name, at)
  }

  /** Never rejects. */
  async function begin(name: string, at: string): Promise<void> {
    running.add(name)
    const startedAt = nowIso()
    try {
      const outcome = await call(name, at)
      await keep(name, { lastRun: { at, startedAt, endedAt: nowIso(), outcome } })
    } catch (error) {
      log.error({ function: name, at, err: error }, 'a scheduled call was not recorded')
    } finally {
      running.delete(name)
    }
  }

  function job(name: string): Job {
    const found = jobs.get(name)
    if (found === undefined) throw new CorunError('unknown-schedule', `function "${name}" has no schedule`)
    return found
  }

  function view(name: string): ScheduleView {
    const { schedule } = job(name)
    const { paused, lastRun } = kept(name)
    const ticks = paused ? [] : nextTicks(schedule, new Date(clock.now()), 5)
    return {
      function: name,
      ...schedule,
      paused,
      running: running.has(name),
      nextRuns: ticks.map(tick => tick.toISOString()),
      ...(lastRun === undefined ? {} : { lastRun }),
    }
  }

  return {
    async set(name, schedule) {
      const old = jobs.get(name)
      if (old !== undefined && JSON.stringify(old.schedule) === JSON.stringify(schedule)) return
      clearTimeout(old?.timer)
      jobs.delete(name)
      if (closed) return
      if (schedule === undefined) {
        if (Object.hasOwn(state.data.schedules, name)) await keep(name, { gone: true })
        return
      }
      const made: Job = { schedule, timer: undefined }
      jobs.set(name, made)
      const { paused, seenUntil, gone } = kept(name)
      const wasOff = old === undefined && gone !== true
      const missed = wasOff ? missedTick(schedule, new Date(seenUntil), new Date(clock.now())) : undefined
      try {
        await keep(name, { seenUntil: nowIso(), gone: false })
      } catch (error) {
        // A disk that takes no more is no reason not to call.
        log.error({ function: name, err: error }, 'a schedule was not remembered')
      }
      // It may have been replaced meanwhile.
      if (jobs.get(name) !== made) return
      if (missed !== undefined && schedule.catchUp && !paused && !running.has(name)) {
        log.info({ function: name, at: missed.toISOString() }, 'a tick was missed, and is made up for')
        void begin(name, missed.toISOString())
      }
      arm(name, made)
    },
    list: () => [...jobs.keys()].sort().map(view),
    get: view,
    async run(name) {
      job(name)
      if (running.has(name)) throw new CorunError('schedule-conflict', `a call of "${name}" goes on`)
      void begin(name, nowIso())
      return view(name)
    },
    async pause(name) {
      job(name)
      await keep(name, { paused: true })
      clearTimeout(job(name).timer)
      return view(name)
    },
    async resume(name) {
      const resumed = job(name)
      await keep(name, { paused: false, seenUntil: nowIso() })
      arm(name, resumed)
      return view(name)
    },
    close() {
      closed = true
      for (const { timer } of jobs.values()) clearTimeout(timer)
    },
  }
}
