/** Starts a retraining while its model has drifted: the cool-down and the number of samples decide when. */
import type { Clock } from '../core/clock.ts'
import { CorunError } from '../core/errors.ts'
import type { Logger } from '../observe/log.ts'

export interface TriggerFacts {
  drifted: boolean
  /** Undefined: the retraining does not start on drift. */
  cooldownHours: number | undefined
  /** When a run of the function last started, for whatever reason. Milliseconds since 1970. */
  lastStartedAt: number | undefined
  now: number
}

/** Pure. Whether there are enough samples is found by trying. */
export function startsNow({ drifted, cooldownHours, lastStartedAt, now }: TriggerFacts): boolean {
  if (!drifted || cooldownHours === undefined) return false
  return lastStartedAt === undefined || now - lastStartedAt >= cooldownHours * 3_600_000
}

export interface DriftTriggerOptions {
  /** Functions whose retraining may start on drift, with what decides about each. */
  candidates(): ({ name: string } & Omit<TriggerFacts, 'now'>)[]
  start(name: string): Promise<unknown>
  clock: Clock
  log: Logger
  /** From try to try: samples come and cool-downs end without a word. Default 60,000. */
  everyMs?: number
}

export interface DriftTrigger {
  /** Tries now. Resolves when what can start has started. */
  check(): Promise<void>
  close(): void
}

export function createDriftTrigger(options: DriftTriggerOptions): DriftTrigger {
  const { candidates, start, clock, log, everyMs = 60_000 } = options
  const refused = new Map<string, string>()

  async function check(): Promise<void> {
    for (const { name, ...facts } of candidates()) {
      if (!facts.drifted) refused.delete(name)
      if (!startsNow({ ...facts, now: clock.now() })) continue
      try {
        await start(name)
        refused.delete(name)
      } catch (error) {
        const expected = error instanceof CorunError && error.status < 500
        if (!expected) log.error({ function: name, err: error }, 'a retraining on drift could not start')
        // The same refusal every minute is told once.
        else if (refused.get(name) !== error.code) {
          refused.set(name, error.code)
          log.info({ function: name, code: error.code, reason: error.message }, 'a retraining on drift waits')
        }
      }
    }
  }

  const timer = setInterval(() => void check(), everyMs).unref()
  return { check, close: () => clearInterval(timer) }
}
