/** A model as `GET /api/models` shows it, made from its record. */
import {
  type HistoryEntry,
  type ModelRecord,
  rollbackTarget,
  type StoredVersion,
  type VersionState,
  versionState,
} from './lineage.ts'

export interface ModelView {
  /** `<function>.<model name>`. */
  id: string
  base: string
  current: string
  /** What is tried on live requests beside it. */
  canary: string | null
  /** What a rollback would make current. */
  rollbackTarget: string | undefined
  versions: (Omit<StoredVersion, 'standing'> & { state: VersionState })[]
  history: HistoryEntry[]
}

export function modelView(id: string, record: ModelRecord): ModelView {
  const { base, current, canary, history } = record
  const versions = record.versions.map(stored => {
    const { standing, ...shown } = stored
    return { ...shown, state: versionState(record, stored) }
  })
  return { id, base, current, canary, rollbackTarget: rollbackTarget(record), versions, history }
}
