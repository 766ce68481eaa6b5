/**
 * The versions of every model: which one is current, where it came from, what came before. A promotion is one
 * durable write of `state/models.json`; loading the version into threads around it is the registry's work.
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { type Clock, systemClock } from '../core/clock.ts'
import { CorunError } from '../core/errors.ts'
import type { Logger } from '../observe/log.ts'
import { createSerial } from '../state/serial.ts'
import { openState } from '../state/state-file.ts'
import {
  ancestors,
  type ModelRecord,
  modelsStateSchema,
  rollbackTarget,
  type StoredVersion,
  type VersionMetrics,
} from './lineage.ts'
import {
  addVersion,
  adoptBase,
  makeCurrent,
  recoverFrom,
  reject,
  remark,
  retire,
  takeBack,
} from './lineage-edits.ts'
import { openModelFiles } from './model-files.ts'
import { type ModelView, modelView } from './model-view.ts'

export interface ModelFile {
  sha256: string
  /** Absolute path. */
  file: string
  /** Classes in the order of its outputs. */
  labels: string[]
}

/** Where a candidate came from. */
export interface CandidateOrigin {
  parent: string
  runId: string
  /** Its classes; default: those that the function brings. */
  labels?: readonly string[]
  metrics?: VersionMetrics
}

/** Who makes a version current, and why: for people who read the history. */
export interface SwitchReason {
  by: string
  why: string
}

export interface ModelStore {
  /**
   * Tells the store which model a function brings, and answers the version to serve: that one when it is new, the
   * current version (which retraining may have made) when it is not. A current version whose file is lost or
   * damaged gives way to its nearest good ancestor. `labels`: the classes that the function names, default none.
   */
  adopt(id: string, content: Uint8Array | string, labels?: readonly string[]): Promise<ModelFile>
  /** `content` is the model's bytes or the path of a file, which stays. */
  addCandidate(id: string, content: Uint8Array | string, origin: CandidateOrigin): Promise<ModelFile>
  /** From now on the version is tried on live requests, until one becomes current or it is rejected. */
  beginCanary(id: string, sha256: string, reason: SwitchReason): Promise<void>
  /** Keeps the line of a candidate and removes its file. Ends its trial. */
  rejectCandidate(id: string, sha256: string, reason: SwitchReason): Promise<void>
  /** Keeps the file of a version for good, or no longer. Throws `unknown-version`. */
  pin(id: string, sha256: string, pinned: boolean, reason: SwitchReason): Promise<void>
  /** The commit point: after it `sha256` is current, whatever is killed. Throws `unknown-version`. */
  commitPromotion(id: string, sha256: string, reason: SwitchReason): Promise<void>
  /** The same for going back to the rollback target, which it answers. Throws `nothing-to-roll-back`. */
  commitRollback(id: string, reason: SwitchReason): Promise<ModelFile>
  /** Throws `nothing-to-roll-back`. */
  rollbackTarget(id: string): ModelFile
  /** The version that is current. Throws `unknown-model`. */
  current(id: string): ModelFile
  /** A version that may be made current. Throws `unknown-version`. */
  version(id: string, sha256: string): ModelFile
  list(): ModelView[]
  /** Throws `unknown-model`. */
  get(id: string): ModelView
}

export interface ModelStoreOptions {
  dataDir: string
  log: Logger
  /** Versions that served before whose files stay, beside the one to roll back to, pinned ones and the base. Default 5. */
  keepVersions?: number
  clock?: Clock
}

/** Opens the store of a data directory; candidates that a killed process left undecided are rejected. */
export async function openModelStore({
  dataDir,
  log,
  keepVersions = 5,
  clock = systemClock,
}: ModelStoreOptions): Promise<ModelStore> {
  const files = await openModelFiles(join(dataDir, 'models'))
  const empty = { version: 1, models: {} } as const
  const state = await openState(join(dataDir, 'state', 'models.json'), modelsStateSchema, empty)
  const oneAtATime = createSerial()
  const now = () => new Date(clock.now()).toISOString()
  const stored = (id: string) => recordOf(state.data.models, id)
  const fileOf = (id: string, sha256: string): ModelFile => {
    const { labels, versions } = stored(id)
    const own = versions.find(version => version.sha256 === sha256)?.labels
    return { sha256, file: files.path(sha256), labels: [...(own ?? labels)] }
  }

  /** One durable write; then the files that it made superfluous go. Files that no line names are left alone. */
  const change = async (edit: (models: Record<string, ModelRecord>) => void): Promise<void> => {
    await state.update(({ models }) => {
      edit(models)
      for (const record of Object.values(models)) retire(record, { retired: keepVersions })
    })
    const versions = Object.values(state.data.models).flatMap(record => record.versions)
    const wanted = new Set(versions.filter(({ kept }) => kept).map(({ sha256 }) => sha256))
    for (const { sha256 } of versions) if (!wanted.has(sha256)) await files.remove(sha256)
  }
  const editRecord = (id: string, edit: (record: ModelRecord) => void) =>
    change(models => edit(recordOf(models, id)))

  const recover = async (id: string, lost: string) => {
    const why = `the file of ${lost} is missing or damaged`
    for (const sha256 of ancestors(stored(id))) {
      if (!(await files.isWhole(sha256))) continue
      log.error({ model: id, from: lost, to: sha256 }, `${why}: its nearest good ancestor serves`)
      return editRecord(id, record => recoverFrom(record, sha256, now(), why))
    }
  }

  await change(models => {
    for (const { canary, versions } of Object.values(models)) {
      for (const version of versions) {
        if (version.sha256 !== canary) reject(version, 'the server stopped before it was decided')
      }
    }
  })

  const rollbackFile = (id: string): ModelFile => {
    const target = rollbackTarget(stored(id))
    if (target !== undefined) return fileOf(id, target)
    throw new CorunError('nothing-to-roll-back', `model "${id}" has no earlier version to go back to`)
  }

  return {
    adopt: (id, content, labels = []) =>
      oneAtATime(async () => {
        const base = await files.put(await bytesOf(content))
        const known = Object.hasOwn(state.data.models, id) ? state.data.models[id] : undefined
        if (known?.base !== base) {
          const brought = { sha256: base, labels: [...labels], at: now() }
          await change(models => adoptBase(models, id, brought))
        } else {
          if (!isDeepStrictEqual(known.labels, labels)) {
            await editRecord(id, record => {
              record.labels = [...labels]
            })
          }
          if (!(await files.isWhole(known.current))) await recover(id, known.current)
        }
        return fileOf(id, stored(id).current)
      }),
    addCandidate: (id, content, { labels, ...origin }) =>
      oneAtATime(async () => {
        const own = labels !== undefined && !isDeepStrictEqual(labels, stored(id).labels)
        const sha256 = await files.put(await bytesOf(content))
        const made = { sha256, source: 'retraining', createdAt: now(), standing: 'candidate' } as const
        await editRecord(id, record =>
          addVersion(record, {
            ...made,
            ...origin,
            ...(own ? { labels: [...labels] } : {}),
            kept: true,
            pinned: false,
          }),
        )
        return fileOf(id, sha256)
      }),
    rejectCandidate: (id, sha256, reason) =>
      oneAtATime(() =>
        editRecord(id, record => {
          takeBack(record, versionOf(record, id, sha256), { at: now(), ...reason })
        }),
      ),
    beginCanary: (id, sha256, reason) =>
      oneAtATime(() =>
        editRecord(id, record => {
          versionOf(record, id, sha256)
          record.canary = sha256
          remark(record, sha256, { at: now(), action: 'canary', ...reason })
        }),
      ),
    pin: (id, sha256, pinned, reason) =>
      oneAtATime(() =>
        editRecord(id, record => {
          const version = versionOf(record, id, sha256)
          if (version.pinned === pinned) return
          version.pinned = pinned
          remark(record, sha256, { at: now(), action: pinned ? 'pinned' : 'unpinned', ...reason })
        }),
      ),
    commitPromotion: (id, sha256, reason) =>
      oneAtATime(async () => {
        versionOf(stored(id), id, sha256)
        if (!(await files.isWhole(sha256))) throw unknownVersion(id, sha256, 'has lost its file')
        await editRecord(id, record => {
          if (record.current !== sha256)
            makeCurrent(record, sha256, { at: now(), action: 'promoted', ...reason })
        })
      }),
    commitRollback: (id, reason) =>
      oneAtATime(async () => {
        const target = rollbackFile(id)
        await editRecord(id, record =>
          makeCurrent(record, target.sha256, { at: now(), action: 'rolled-back', ...reason }),
        )
        return target
      }),
    rollbackTarget: rollbackFile,
    current: id => fileOf(id, stored(id).current),
    version: (id, sha256) => fileOf(id, versionOf(stored(id), id, sha256).sha256),
    list: () =>
      Object.entries(state.data.models)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([id, record]) => modelView(id, record)),
    get: id => modelView(id, stored(id)),
  }
}

function recordOf(models: Record<string, ModelRecord>, id: string): ModelRecord {
  const record = Object.hasOwn(models, id) ? models[id] : undefined
  if (record === undefined) throw new CorunError('unknown-model', `there is no model "${id}"`)
  return record
}

function versionOf(record: ModelRecord, id: string, sha256: string): StoredVersion {
  const found = record.versions.find(version => version.sha256 === sha256)
  if (found?.kept) return found
  throw unknownVersion(id, sha256, found === undefined ? 'is not known' : 'is no longer kept')
}

const unknownVersion = (id: string, sha256: string, why: string) =>
  new CorunError('unknown-version', `version ${sha256} of model "${id}" ${why}`)

const bytesOf = async (content: Uint8Array | string): Promise<Uint8Array> =>
  typeof content === 'string' ? readFile(content) : content
