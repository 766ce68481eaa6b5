/** When a schedule is due: pure, over croner's reading of its pattern. */
import { Cron } from 'croner'
import type { CheckedSchedule } from '../core/definition-schema.ts'

const parse = ({ cron, timeZone }: CheckedSchedule) =>
  new Cron(cron, { paused: true, ...(timeZone === undefined ? {} : { timezone: timeZone }) })

/** The next ones after `from`; fewer where the pattern ends. */
export function nextTicks(schedule: CheckedSchedule, from: Date, count: number): Date[] {
  return parse(schedule).nextRuns(count, from)
}

/** The latest one after `last` and not after `now`; the ones before it are not made up for. */
export function missedTick(schedule: CheckedSchedule, last: Date, now: Date): Date | undefined {
  const cron = parse(schedule)
  const next = cron.nextRun(last)
  if (next === null || next > now) return undefined
  return cron.previousRuns(1, new Date(now.getTime() + 1))[0] ?? next
}
