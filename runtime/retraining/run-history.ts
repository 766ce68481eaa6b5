/** The last 200 runs in `state/runs.json`, and those that are not over. Runs that a killed server left open are closed as `interrupted`. */
import { join } from 'node:path'
import { z } from 'zod'
import { openState } from '../state/state-file.ts'
import { isOver, type RunRecord, runRecordSchema } from './run-record.ts'

const runsStateSchema = z.object({
  version: z.literal(1),
  /** Oldest first. */
  runs: z.array(runRecordSchema),
})

export interface RunHistory {
  /** Newest first. */
  list(): RunRecord[]
  /** Adds the run or replaces what was saved of it. */
  save(run: RunRecord): Promise<void>
}

export interface RunHistoryOptions {
  now(): string
  /** Whether the candidate of a run that was left open is tried on live requests. */
  isOnTrial(run: RunRecord): boolean
  /** Whether it has taken over all the same. */
  wasPromoted(run: RunRecord): boolean
  /** Runs that are kept. Default 200. */
  limit?: number
}

export async function openRunHistory(
  dataDir: string,
  { now, isOnTrial, wasPromoted, limit = 200 }: RunHistoryOptions,
): Promise<RunHistory> {
  const state = await openState(join(dataDir, 'state', 'runs.json'), runsStateSchema, {
    version: 1,
    runs: [],
  })
  if (!state.data.runs.every(isOver)) {
    await state.update(({ runs }) => {
      for (const run of runs) {
        if (isOver(run)) continue
        if (isOnTrial(run)) {
          Object.assign(run, { state: 'canary', paused: false })
          continue
        }
        const tried = run.state === 'canary'
        run.state = wasPromoted(run) ? 'promoted' : tried ? 'rejected' : 'interrupted'
        run.endedAt = now()
        run.goesOn = run.state === 'interrupted'
        // One that goes on does so as the operator left it.
        run.paused &&= run.goesOn
        run.reason ??= {
          promoted: 'its candidate had taken over when the server was killed',
          rejected: 'what was known of its trial is lost',
          interrupted: 'the server was killed',
        }[run.state]
      }
    })
  }
  return {
    list: () => state.data.runs.toReversed(),
    save: run =>
      state.update(draft => {
        const at = draft.runs.findIndex(({ id }) => id === run.id)
        if (at === -1) draft.runs.push(structuredClone(run))
        else draft.runs[at] = structuredClone(run)
        const done = draft.runs.filter(run => isOver(run) && !run.goesOn)
        const dropped = new Set(done.slice(0, Math.max(0, draft.runs.length - limit)))
        draft.runs = draft.runs.filter(run => !dropped.has(run))
      }),
  }
}
