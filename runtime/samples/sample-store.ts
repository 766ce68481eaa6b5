/**
 * Labelled pictures that apps sent: `samples/<function>/<sha256>.<format>` and a journal of their labels beside
 * them. Whether a picture can be decoded and its label is known has been checked before it comes here.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { type Clock, systemClock } from '../core/clock.ts'
import { CorunError } from '../core/errors.ts'
import type { Logger } from '../observe/log.ts'
import { chooseEvicted, type Quota } from './choose-evicted.ts'
import {
  openPictureRooms,
  type PictureEntry,
  type PictureRoom,
  pictureEntrySchema,
  pictureFormat,
  readPicture,
  type Sized,
} from './picture-room.ts'
import { type Split, splitOf } from './split.ts'

/** `id`: SHA-256 of the picture's bytes. */
const entrySchema = pictureEntrySchema.extend({ label: z.string() })
type Entry = z.output<typeof entrySchema>

export interface Sample {
  id: string
  label: string
  /** Absolute path. */
  file: string
  format: PictureEntry['format']
  at: string
  bytes: number
  split: Split
}

export interface NewSample {
  function: string
  label: string
  body: Uint8Array
  /** `jpeg`, `png` or `webp`, as the decoder found it. */
  format: string
  /** Milliseconds since 1970. Default: now. */
  at?: number
}

/** Those that fit all that is given; nothing given fits none. */
export interface SampleFilter {
  id?: string | undefined
  label?: string | undefined
  /** Labelled before this. Milliseconds since 1970. */
  before?: number | undefined
}

export interface SampleStore {
  /**
   * Resolves when the picture and its label are on disk. The newest label of the same picture wins. A full store gives
   * up older samples for it.
   */
  add(sample: NewSample): Promise<{ id: string; duplicate: boolean }>
  /** Another label for a picture that is there. False when it is not. */
  relabel(name: string, id: string, label: string): Promise<boolean>
  /** The samples whose files are there, oldest first: a picture that the operator removed is not trained on. */
  list(name: string): Promise<Sample[]>
  /** Throws `unknown-sample`. */
  read(name: string, id: string): Promise<{ sample: Sample; body: Uint8Array }>
  /** Removes lines and files, and answers what is gone. */
  remove(name: string, filter: SampleFilter): Promise<Sample[]>
  /** Functions that have a folder of samples. */
  names(): Promise<string[]>
  /** Until it is let go, files of removed samples stay where they are: a trainer reads them. */
  hold(name: string): Promise<() => void>
}

export const defaultQuota: Quota = { perLabel: 2000, bytes: 2 ** 30 }

export interface SampleStoreOptions {
  dataDir: string
  log: Logger
  clock?: Clock
  /** Of each function. Default: {@link defaultQuota}. */
  quota?: Quota
  /** Numbers from 0 up to 1: which samples a full store gives up. */
  random?: () => number
}

export function createSampleStore({
  dataDir,
  log,
  clock = systemClock,
  quota = defaultQuota,
  random = Math.random,
}: SampleStoreOptions): SampleStore {
  const rooms = openPictureRooms(join(dataDir, 'samples'), entrySchema, log)
  const now = () => new Date(clock.now()).toISOString()

  const sampleOf = (room: PictureRoom<Entry>, entry: Sized<Entry>): Sample => ({
    id: entry.id,
    label: entry.label,
    file: room.file(entry),
    format: entry.format,
    at: entry.at,
    bytes: entry.bytes,
    split: splitOf(entry.id),
  })

  async function keep(
    room: PictureRoom<Entry>,
    entry: Sized<Entry>,
    body: Uint8Array | undefined,
  ): Promise<void> {
    const residents = [...room.entries.values()].filter(({ id }) => id !== entry.id)
    const ids = chooseEvicted([...residents, entry], entry.id, quota, random)
    if (ids.length > 0) log.debug({ folder: room.folder, ids }, 'samples made room for a new one')
    await room.put(entry, body, { ids, at: now(), why: 'quota' })
  }

  return {
    async add({ function: name, label, body, format: named, at = clock.now() }) {
      const format = pictureFormat(named)
      const id = createHash('sha256').update(body).digest('hex')
      const room = await rooms.of(name)
      return room.inTurn(async () => {
        const present = await room.has(id)
        if (!present || room.entries.get(id)?.label !== label) {
          const entry = { id, label, format, at: new Date(at).toISOString(), bytes: body.byteLength }
          await keep(room, entry, present ? undefined : body)
        }
        return { id, duplicate: present }
      })
    },
    async relabel(name, id, label) {
      const room = await rooms.of(name)
      return room.inTurn(async () => {
        const entry = room.entries.get(id)
        if (entry === undefined || !(await room.has(id))) return false
        if (entry.label !== label) await keep(room, { ...entry, label, at: now() }, undefined)
        return true
      })
    },
    async list(name) {
      // Asking makes no folder.
      if (!(await rooms.has(name))) return []
      const room = await rooms.of(name)
      return (await room.present()).map(entry => sampleOf(room, entry))
    },
    async read(name, id) {
      const room = await rooms.of(name)
      const entry = room.entries.get(id)
      const body = entry && (await readPicture(room.file(entry)))
      if (entry === undefined || body === undefined) {
        throw new CorunError('unknown-sample', `function "${name}" has no sample "${id}"`)
      }
      return { sample: sampleOf(room, entry), body }
    },
    async remove(name, { id, label, before }) {
      if (id === undefined && label === undefined && before === undefined) return []
      const room = await rooms.of(name)
      return room.inTurn(async () => {
        const gone = [...room.entries.values()].filter(
          entry =>
            (id === undefined || entry.id === id) &&
            (label === undefined || entry.label === label) &&
            (before === undefined || Date.parse(entry.at) < before),
        )
        await room.remove({ ids: gone.map(entry => entry.id), at: now(), why: 'operator' })
        return gone.map(entry => sampleOf(room, entry))
      })
    },
    names: rooms.names,
    hold: async name => (await rooms.of(name)).hold(),
  }
}
