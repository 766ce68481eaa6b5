/**
 * What is known of a model's versions, as it is stored, and what follows from it: pure functions from a record to
 * the state of a version and the way back. Changes are in lineage-edits.ts, files in model-store.ts.
 */
import { z } from 'zod'
import { evaluationSchema } from '../core/trainer-messages.ts'

const sha256Schema = z.string().regex(/^[0-9a-f]{64}$/)

const metricsSchema = z.object({ heldOut: evaluationSchema, reference: evaluationSchema })
export type VersionMetrics = z.output<typeof metricsSchema>

const versionSchema = z.object({
  sha256: sha256Schema,
  /** The version whose weights training started from; null for files that came with the function. */
  parent: sha256Schema.nullable(),
  source: z.enum(['function', 'retraining']),
  runId: z.string().optional(),
  /** ISO 8601. */
  createdAt: z.string(),
  metrics: metricsSchema.optional(),
  /** Its classes, where they are not those that the function brings. */
  labels: z.array(z.string()).optional(),
  /** `served`: is or was current. Which one is current is said in one place only, the record's `current`. */
  standing: z.enum(['candidate', 'served', 'rejected']),
  /** Why it was rejected. */
  why: z.string().optional(),
  /** Whether the file is in the store: rejected and long retired versions keep their line, not their file. */
  kept: z.boolean(),
  /** By the operator: its file stays, however long ago it served. */
  pinned: z.boolean().default(false),
})
export type StoredVersion = z.output<typeof versionSchema>

const historySchema = z.object({
  at: z.string(),
  action: z.enum([
    'adopted',
    'promoted',
    'rolled-back',
    'recovered',
    'rejected',
    'canary',
    'pinned',
    'unpinned',
  ]),
  /** The version that was current. */
  from: sha256Schema.nullable(),
  to: sha256Schema,
  by: z.string(),
  why: z.string(),
})
export type HistoryEntry = z.output<typeof historySchema>

export const modelRecordSchema = z.object({
  /** The file that the function brings. */
  base: sha256Schema,
  /** Classes in the order of the base file's outputs. */
  labels: z.array(z.string()).default([]),
  /** The version that serves. Exactly one, and the only place that says so. */
  current: sha256Schema,
  /** The version that is tried on live requests beside it. */
  canary: sha256Schema.nullable().default(null),
  versions: z.array(versionSchema),
  history: z.array(historySchema),
})
export type ModelRecord = z.output<typeof modelRecordSchema>

export const modelsStateSchema = z.object({
  version: z.literal(1),
  models: z.record(z.string(), modelRecordSchema),
})

export type VersionState = 'candidate' | 'canary' | 'current' | 'retired' | 'rejected'

export function versionState(record: ModelRecord, version: StoredVersion): VersionState {
  if (version.sha256 === record.current) return 'current'
  if (version.sha256 === record.canary) return 'canary'
  return version.standing === 'served' ? 'retired' : version.standing
}

/** Whether it made another version current; the rest of the history is decisions about those that are not. */
export const isSwitch = ({ action }: HistoryEntry): boolean =>
  action === 'adopted' || action === 'promoted' || action === 'rolled-back' || action === 'recovered'

/**
 * The version that was current before the present one came by promotion, or undefined. Rolling back twice goes
 * back two versions, not forth again; a new base file of the function begins a new line.
 */
export function rollbackTarget(record: ModelRecord): string | undefined {
  // A long history has lost its beginning: what its first entry came from is known all the same.
  const switched = record.history.filter(isSwitch)
  let line = switched.slice(0, 1).flatMap(({ from }) => from ?? [])
  for (const { action, to } of switched) {
    if (action === 'adopted') line = [to]
    else if (action === 'promoted') line.push(to)
    else line = line.includes(to) ? line.slice(0, line.indexOf(to) + 1) : [to]
  }
  const kept = new Set(record.versions.filter(version => version.kept).map(version => version.sha256))
  return line.slice(0, -1).findLast(sha256 => kept.has(sha256) && sha256 !== record.current)
}

/** The versions that may take over when the file of the current one is lost: its ancestors, nearest first. */
export function ancestors(record: ModelRecord): string[] {
  const found: string[] = []
  const parentOf = (sha256: string) => record.versions.find(version => version.sha256 === sha256)?.parent
  for (let at = parentOf(record.current); at && !found.includes(at); at = parentOf(at)) found.push(at)
  if (!found.includes(record.base)) found.push(record.base)
  return found.filter(sha256 => sha256 !== record.current)
}
