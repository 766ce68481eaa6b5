/** The changes that a model's record can go through. They edit a draft; writing it down is model-store.ts's work. */
import {
  type HistoryEntry,
  isSwitch,
  type ModelRecord,
  rollbackTarget,
  type StoredVersion,
  versionState,
} from './lineage.ts'

type Models = Record<string, ModelRecord>
type Reason = Pick<HistoryEntry, 'at' | 'action' | 'by' | 'why'>

/** A file that the function brings becomes its base and its current version, whatever served before. */
export function adoptBase(
  models: Models,
  id: string,
  { sha256, labels, at }: { sha256: string; labels: string[]; at: string },
): void {
  const version: StoredVersion = {
    sha256,
    parent: null,
    source: 'function',
    createdAt: at,
    standing: 'served',
    kept: true,
    pinned: false,
  }
  const record = Object.hasOwn(models, id) ? models[id] : undefined
  if (record !== undefined) {
    // Versions that had the classes of the file before keep them.
    for (const other of record.versions) other.labels ??= record.labels
    addVersion(record, version)
    for (const other of record.versions) if (other.sha256 === sha256) delete other.labels
    record.base = sha256
    record.labels = labels
    makeCurrent(record, sha256, { at, action: 'adopted', by: 'function', why: 'new file of the function' })
    return
  }
  const why = 'first file of the function'
  const first = { at, action: 'adopted', from: null, to: sha256, by: 'function', why } as const
  models[id] = { base: sha256, labels, current: sha256, canary: null, versions: [version], history: [first] }
}

/** Adds a version; one that was known before keeps its standing if it has served, else begins anew. */
export function addVersion(record: ModelRecord, version: StoredVersion): void {
  const known = record.versions.find(({ sha256 }) => sha256 === version.sha256)
  if (known?.standing === 'served') {
    known.kept = true
    return
  }
  record.versions = record.versions.filter(other => other !== known)
  record.versions.push(version)
}

/** Ends the trial of another version: it was tried against the one that is current no more. */
export function makeCurrent(record: ModelRecord, sha256: string, reason: Reason): void {
  const tried = record.versions.find(version => version.sha256 === record.canary)
  if (tried !== undefined && tried.sha256 !== sha256) {
    const { at, by } = reason
    takeBack(record, tried, { at, by, why: 'another version was made current while it was tried' })
  }
  record.canary = null
  record.history.push({ ...reason, from: record.current, to: sha256 })
  record.current = sha256
  for (const version of record.versions) if (version.sha256 === sha256) version.standing = 'served'
}

/** The file of the current version is lost: `ancestor` serves instead. */
export function recoverFrom(record: ModelRecord, ancestor: string, at: string, why: string): void {
  for (const version of record.versions) if (version.sha256 === record.current) version.kept = false
  makeCurrent(record, ancestor, { at, action: 'recovered', by: 'corun', why })
}

/** A version will not become current now: its trial is over, where it had one. */
export function takeBack(
  record: ModelRecord,
  version: StoredVersion,
  { at, by, why }: Omit<Reason, 'action'>,
): void {
  reject(version, why)
  if (record.canary === version.sha256) record.canary = null
  remark(record, version.sha256, { at, action: 'rejected', by, why })
}

export function reject(version: StoredVersion, why: string): void {
  if (version.standing !== 'candidate') return
  version.standing = 'rejected'
  version.why = why
}

/** A decision about a version that does not make it current. */
export function remark(record: ModelRecord, to: string, reason: Reason): void {
  record.history.push({ ...reason, from: record.current, to })
}

/**
 * Marks whose files may go: all but those of current, base, candidates, one on trial, the pinned, the one to roll back to, and the newest
 * `retired`. Bounds the lists.
 */
export function retire(
  record: ModelRecord,
  { retired, lines = 100 }: { retired: number; lines?: number },
): void {
  const served = record.versions.filter(
    version => version.kept && versionState(record, version) === 'retired',
  )
  const newest = new Set(retired > 0 ? served.slice(-retired) : [])
  const previous = rollbackTarget(record)
  for (const version of record.versions) {
    const state = versionState(record, version)
    const tried = state === 'candidate' || state === 'canary'
    const wanted = state === 'current' || tried || newest.has(version) || version.pinned
    version.kept &&= wanted || version.sha256 === record.base || version.sha256 === previous
  }
  const excess = Math.max(0, record.versions.length - lines)
  const dropped = new Set(record.versions.filter(version => !version.kept).slice(0, excess))
  record.versions = record.versions.filter(version => !dropped.has(version))
  // Decisions about other versions, however many, do not crowd out the way back.
  const recent = new Set(
    [true, false].flatMap(kind => record.history.filter(entry => isSwitch(entry) === kind).slice(-lines)),
  )
  record.history = record.history.filter(entry => recent.has(entry))
}
