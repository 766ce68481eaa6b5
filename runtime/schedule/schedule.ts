/** Starts retraining by cron (local time). Whether a run may start is retraining's to say; a refusal is a skipped tick. */
import { Cron } from 'croner'
import { CorunError } from '../core/errors.ts'
import type { Logger } from '../observe/log.ts'

export interface ScheduleOptions {
  /** Starts the run of a function and resolves when it is recorded; rejects when it cannot start. */
  start(name: string): Promise<unknown>
  log: Logger
}

export interface Schedule {
  /** Sets or replaces the pattern of a function; undefined removes it. Throws `invalid-definition`. */
  set(name: string, pattern: string | undefined): void
  /** ISO 8601; null when nothing is scheduled. */
  nextRun(name: string): string | null
  list(): { name: string; pattern: string; nextRun: string | null }[]
  close(): void
}

export function createSchedule({ start, log }: ScheduleOptions): Schedule {
  const jobs = new Map<string, { pattern: string; cron: Cron }>()

  const tick = async (name: string) => {
    try {
      await start(name)
    } catch (error) {
      const expected = error instanceof CorunError && error.status < 500
      const fields = { function: name, code: error instanceof CorunError ? error.code : undefined }
      if (expected) log.info({ ...fields, reason: error.message }, 'a scheduled retraining was skipped')
      else log.error({ ...fields, err: error }, 'a scheduled retraining could not start')
    }
  }
  const remove = (name: string) => {
    jobs.get(name)?.cron.stop()
    jobs.delete(name)
  }
  const nextRun = (name: string) => jobs.get(name)?.cron.nextRun()?.toISOString() ?? null

  return {
    set(name, pattern) {
      if (jobs.get(name)?.pattern === pattern) return
      const cron = pattern === undefined ? undefined : parse(name, pattern)
      remove(name)
      if (pattern === undefined || cron === undefined) return
      cron.schedule(() => tick(name))
      jobs.set(name, { pattern, cron })
    },
    nextRun,
    list: () => [...jobs].map(([name, { pattern }]) => ({ name, pattern, nextRun: nextRun(name) })),
    close() {
      for (const name of [...jobs.keys()]) remove(name)
    },
  }

  function parse(name: string, pattern: string): Cron {
    try {
      return new Cron(pattern, {
        // Timers do not keep the process alive.
        unref: true,
        // A tick while the one before still waits for its start is skipped.
        protect: () =>
          log.info({ function: name }, 'a scheduled retraining was skipped: the last one is starting'),
      })
    } catch (error) {
      throw new CorunError(
        'invalid-definition',
        `retraining of "${name}": schedule: "${pattern}" is not a cron pattern: ${error instanceof Error ? error.message : error}`,
        { cause: error },
      )
    }
  }
}
