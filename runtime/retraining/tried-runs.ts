/** Runs whose candidate is tried on live requests: nothing of them runs any more, and they are over when the trial is. */
import type { Canaries, CanaryEnd } from '../canary/canaries.ts'
import type { Clock } from '../core/clock.ts'
import type { Logger } from '../observe/log.ts'
import type { RunRecord } from './run-record.ts'

export interface TriedRunsOptions {
  canaries: Pick<Canaries, 'get' | 'stop' | 'onEnd'>
  /** A run by its id: as it is worked on, else a copy of what is recorded. */
  find(id: string): RunRecord | undefined
  /** All that are recorded, newest first. */
  list(): readonly RunRecord[]
  save(run: RunRecord): Promise<void>
  /** Told of each that is over. */
  onEnd(run: RunRecord): void
  clock: Clock
  log: Logger
}

export interface TriedRuns {
  /** The run has noted that its candidate is on trial. */
  noted(run: RunRecord): Promise<void>
  /** The run of a function whose candidate is on trial, with how that stands. */
  get(name: string): RunRecord | undefined
  /** Takes the candidate back; the run ends as `cancelled`. */
  cancel(name: string): void
}

export function createTriedRuns(options: TriedRunsOptions): TriedRuns {
  const { canaries, find, list, save, onEnd, clock, log } = options
  /** Trials that were over before their run had noted that they began. */
  const overAlready = new Map<string, CanaryEnd>()

  async function end(run: RunRecord, { outcome, by, why, view }: CanaryEnd): Promise<void> {
    const now = clock.now()
    const endedAt = new Date(now).toISOString()
    Object.assign(run, { state: outcome, canary: view, reason: why, endedAt })
    run.seconds = (now - Date.parse(run.startedAt)) / 1000
    run.notes.push(`its trial was ended by ${by}`)
    await save(run)
    onEnd(run)
    log.info({ run: run.id, state: outcome, by, why }, 'retraining ended')
  }

  canaries.onEnd(async over => {
    const run = find(over.run)
    if (run?.state === 'canary') await end(run, over)
    else overAlready.set(over.run, over)
  })

  return {
    async noted(run) {
      // Its trial may be over, and the run with it.
      if (run.state !== 'canary') return
      log.info({ run: run.id, reasons: run.decision?.reasons }, 'its candidate goes on trial')
      const over = overAlready.get(run.id)
      overAlready.delete(run.id)
      await (over === undefined ? save(run) : end(run, over))
    },
    get(name) {
      const run = list().find(run => run.function === name && run.state === 'canary')
      return run && { ...run, canary: canaries.get(name) ?? run.canary }
    },
    cancel(name) {
      const reason = { by: 'operator', why: 'cancelled by the operator', outcome: 'cancelled' } as const
      canaries
        .stop(name, reason)
        .catch(error => log.error({ function: name, err: error }, 'a trial was not ended'))
    },
  }
}
