/** A function's retraining as `GET /api/retraining` shows it: definition, schedule, the run of now and earlier ones. */
import type { RetrainingDescription } from '../core/definition-schema.ts'
import type { DeployedRetraining } from '../core/deployment.ts'
import type { RunRecord } from './run-record.ts'

export interface RetrainingView {
  function: string
  /** `<function>.<model name>`. */
  model: string
  definition: RetrainingDescription
  /** Cron pattern; null when it starts only by hand. */
  schedule: string | null
  /** ISO 8601. */
  nextRunAt: string | null
  /** The run of now, the one that waits for its turn, or the one whose candidate is on trial. */
  active: RunRecord | null
  /** The last time that its schedule started none, and why; null since it did. */
  skipped: { at: string; reason: string } | null
  /** Newest first, without the active one. */
  runs: RunRecord[]
}

/** `runs`: of all functions, newest first. */
export function retrainingView(
  { function: name, description }: DeployedRetraining,
  facts: {
    active: RunRecord | undefined
    runs: readonly RunRecord[]
    nextRunAt: string | null
    skipped: RetrainingView['skipped']
  },
): RetrainingView {
  const active = facts.active ? structuredClone(facts.active) : null
  return {
    function: name,
    model: `${name}.${description.model}`,
    definition: description,
    schedule: description.schedule ?? null,
    nextRunAt: facts.nextRunAt,
    active,
    skipped: facts.skipped,
    runs: facts.runs.filter(run => run.function === name && run.id !== active?.id),
  }
}
