/**
 * Labelled pictures that apps sent: `samples/<function>/<sha256>.<format>` and a journal of their labels beside
 * them. Whether a picture can be decoded and its label is known has been checked before it comes here.
 */
import { createHash } from 'node:crypto'
import { access, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type Clock, systemClock } from '../core/clock.ts'
import { CorunError } from '../core/errors.ts'
import type { Logger } from '../observe/log.ts'
import { makeFolder, removeLeftovers, writeDurably } from '../state/durable-file.ts'
import { createSerial, type Serial } from '../state/serial.ts'
import { type Journal, openJournal } from './journal.ts'
import { type Split, splitOf } from './split.ts'

const formats: Partial<Record<string, 'jpg' | 'png' | 'webp'>> = {
  jpeg: 'jpg',
  jpg: 'jpg',
  png: 'png',
  webp: 'webp',
}
const entrySchema = z.object({
  /** SHA-256 of the picture's bytes. */
  id: z.string().regex(/^[0-9a-f]{64}$/),
  label: z.string(),
  format: z.enum(['jpg', 'png', 'webp']),
  /** ISO 8601. */
  at: z.string(),
})
type Entry = z.output<typeof entrySchema>

export interface Sample {
  id: string
  label: string
  /** Absolute path. */
  file: string
  at: string
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

export interface SampleStore {
  /** Resolves when the picture and its label are on disk. The newest label of the same picture wins. */
  add(sample: NewSample): Promise<{ id: string; duplicate: boolean }>
  /** The samples whose files are there, oldest first: a picture that the operator removed is not trained on. */
  list(name: string): Promise<Sample[]>
}

/** A function's part of the store. */
interface Room {
  folder: string
  journal: Journal<Entry>
  /** By id, with the newest label. */
  entries: Map<string, Entry>
  oneAtATime: Serial
}

export interface SampleStoreOptions {
  dataDir: string
  log: Logger
  clock?: Clock
}

export function createSampleStore({ dataDir, log, clock = systemClock }: SampleStoreOptions): SampleStore {
  const rooms = new Map<string, Promise<Room>>()

  const openRoom = async (name: string): Promise<Room> => {
    const folder = join(dataDir, 'samples', name)
    await makeFolder(folder)
    await removeLeftovers(folder)
    const journal = await openJournal(join(folder, 'journal.ndjson'), entrySchema, log)
    const entries = new Map(journal.entries.map(entry => [entry.id, entry]))
    return { folder, journal, entries, oneAtATime: createSerial() }
  }
  const roomOf = (name: string): Promise<Room> => {
    const opened = rooms.get(name) ?? openRoom(name)
    rooms.set(name, opened)
    // A room that could not be opened is tried again the next time.
    opened.catch(() => rooms.delete(name))
    return opened
  }

  return {
    async add({ function: name, label, body, format, at = clock.now() }) {
      const extension = Object.hasOwn(formats, format) ? formats[format] : undefined
      if (extension === undefined) {
        throw new CorunError(
          'unsupported-media-type',
          `a sample is "${format}"; expected ${Object.keys(formats).join(', ')}`,
        )
      }
      const id = createHash('sha256').update(body).digest('hex')
      const { folder, journal, entries, oneAtATime } = await roomOf(name)
      return oneAtATime(async () => {
        const known = entries.get(id)
        const present = known !== undefined && (await exists(join(folder, fileName(known))))
        if (!present) await writeDurably(join(folder, `${id}.${extension}`), body)
        if (!present || known.label !== label) {
          const entry = { id, label, format: extension, at: new Date(at).toISOString() }
          await journal.append(entry)
          entries.set(id, entry)
        }
        return { id, duplicate: present }
      })
    },
    async list(name) {
      const { folder, entries } = await roomOf(name)
      const files = new Set(await readdir(folder))
      return [...entries.values()]
        .filter(entry => files.has(fileName(entry)))
        .map(entry => ({
          id: entry.id,
          label: entry.label,
          file: join(folder, fileName(entry)),
          at: entry.at,
          split: splitOf(entry.id),
        }))
    },
  }
}

const fileName = ({ id, format }: Entry) => `${id}.${format}`

const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  )
