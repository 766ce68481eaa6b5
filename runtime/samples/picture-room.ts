/**
 * A folder of pictures and a journal of what is known of each: `<id>.<format>` beside `journal.ndjson`. A picture
 * that was put is there after any kill; one that was removed is gone. What the pictures are for is in
 * sample-store.ts and capture-store.ts.
 */
import { access, readdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { CorunError } from '../core/errors.ts'
import type { Logger } from '../observe/log.ts'
import { makeFolder, removeLeftovers, writeDurably } from '../state/durable-file.ts'
import { createSerial, type Serial } from '../state/serial.ts'
import { openJournal } from './journal.ts'

/** What every entry has; a room's schema extends it. */
export const pictureEntrySchema = z.object({
  /** 64 hexadecimal digits. */
  id: z.string().regex(/^[0-9a-f]{64}$/),
  format: z.enum(['jpg', 'png', 'webp']),
  /** Of the file. Journals of earlier versions do not say. */
  bytes: z.int().min(0).optional(),
  /** ISO 8601. */
  at: z.string(),
})
export type PictureEntry = z.output<typeof pictureEntrySchema>
/** An entry whose size is known. */
export type Sized<Entry> = Entry & { bytes: number }

const removalSchema = z.object({
  removed: z.string().regex(/^[0-9a-f]{64}$/),
  at: z.string(),
  why: z.string(),
})

export interface PictureRoom<Entry> {
  readonly folder: string
  /** One change at a time: whoever changes the room does so in here. */
  readonly inTurn: Serial
  /** By id, oldest first, whether their files are there or not. */
  readonly entries: ReadonlyMap<string, Sized<Entry>>
  /** Those whose files are there: an operator may have removed some by hand. */
  present(): Promise<Sized<Entry>[]>
  has(id: string): Promise<boolean>
  file(entry: Pick<PictureEntry, 'id' | 'format'>): string
  /** Writes the picture, then its line, and with it the removal of `evicted`. Without `body`: the line alone. */
  put(entry: Sized<Entry>, body: Uint8Array | undefined, evicted?: Removal): Promise<void>
  remove(removal: Removal): Promise<void>
  /** While it is held, the files of what is removed stay: somebody reads them. Answers how to let go. */
  hold(): () => void
}

export interface Removal {
  ids: readonly string[]
  /** ISO 8601. */
  at: string
  why: string
}

/** A journal is rewritten when it has so many more lines than entries, and twice as many as these. */
const sparedLines = 256

/** Opens the room, finishes removals that a kill interrupted, and compacts the journal where that pays. */
async function openPictureRoom<Entry extends PictureEntry>(
  folder: string,
  schema: z.ZodType<Entry>,
  log: Logger,
): Promise<PictureRoom<Entry>> {
  await makeFolder(folder)
  await removeLeftovers(folder)
  // The compiler cannot follow a union with a schema that it does not know.
  const lineSchema = z.union([schema, removalSchema]) as z.ZodType<Entry | z.output<typeof removalSchema>>
  const journal = await openJournal(join(folder, 'journal.ndjson'), lineSchema, log)
  const entries = new Map<string, Sized<Entry>>()
  let lines = journal.entries.length
  let holders = 0
  let waiting: string[] = []
  const inTurn = createSerial()

  const removed = new Set<string>()
  for (const line of journal.entries) {
    if ('removed' in line) {
      entries.delete(line.removed)
      removed.add(line.removed)
    } else {
      removed.delete(line.id)
      entries.set(line.id, { ...line, bytes: line.bytes ?? (await sizeOf(join(folder, nameOf(line)))) })
    }
  }
  for (const name of await readdir(folder)) {
    const id = /^([0-9a-f]{64})\.(?:jpg|png|webp)$/.exec(name)?.[1]
    if (id === undefined || entries.has(id)) continue
    // Without a line and with none damaged, it was never answered for: a kill came between the file and the line.
    if (removed.has(id) || journal.damaged === 0) await rm(join(folder, name), { force: true })
  }
  await compact()

  /** A journal with damaged lines is left as it is, for a person to repair. */
  async function compact(): Promise<void> {
    if (journal.damaged > 0 || lines - entries.size <= entries.size + sparedLines) return
    await journal.rewrite([...entries.values()])
    lines = entries.size
  }

  async function append(added: readonly Entry[], removal: Removal | undefined): Promise<string[]> {
    const known = (removal?.ids ?? []).filter(id => entries.has(id))
    const stones = known.map(id => ({ removed: id, at: removal?.at ?? '', why: removal?.why ?? '' }))
    if (added.length + stones.length === 0) return []
    await journal.append([...added, ...stones])
    lines += added.length + stones.length
    const files = known.flatMap(id => {
      const entry = entries.get(id)
      return entry === undefined ? [] : [join(folder, nameOf(entry))]
    })
    for (const id of known) entries.delete(id)
    return files
  }

  async function unlink(files: readonly string[]): Promise<void> {
    if (holders > 0) waiting.push(...files)
    else for (const file of files) await rm(file, { force: true })
  }

  /** In turn with what comes back: a picture that does keeps its file. */
  async function unlinkWaiting(): Promise<void> {
    if (holders > 0) return
    const files = waiting
    waiting = []
    await unlink(files)
  }

  return {
    folder,
    inTurn,
    entries,
    async present() {
      const files = new Set(await readdir(folder))
      return [...entries.values()].filter(entry => files.has(nameOf(entry)))
    },
    async has(id) {
      const entry = entries.get(id)
      return entry !== undefined && (await exists(join(folder, nameOf(entry))))
    },
    file: entry => join(folder, nameOf(entry)),
    async put(entry, body, evicted) {
      const file = join(folder, nameOf(entry))
      if (body !== undefined) await writeDurably(file, body)
      const gone = await append([entry], evicted).catch(async error => {
        // Without its line it is nobody's, and the disk may be full.
        if (body !== undefined && !entries.has(entry.id)) await rm(file, { force: true })
        throw error
      })
      entries.set(entry.id, entry)
      // What comes back while its old file waits to be removed keeps the file.
      waiting = waiting.filter(path => path !== file)
      await unlink(gone)
      await compact()
    },
    async remove(removal) {
      await unlink(await append([], removal))
      await compact()
    },
    hold() {
      holders += 1
      let held = true
      return () => {
        if (!held) return
        held = false
        holders -= 1
        inTurn(unlinkWaiting).catch(error =>
          log.warn({ folder, err: error }, 'removed pictures stay until the next start'),
        )
      }
    },
  }
}

/** The rooms of functions, each in a folder of `root`, opened when they are asked for. */
export function openPictureRooms<Entry extends PictureEntry>(
  root: string,
  schema: z.ZodType<Entry>,
  log: Logger,
): {
  of(name: string): Promise<PictureRoom<Entry>>
  has(name: string): Promise<boolean>
  names(): Promise<string[]>
} {
  const rooms = new Map<string, Promise<PictureRoom<Entry>>>()
  return {
    of(name) {
      const opened = rooms.get(name) ?? openPictureRoom(join(root, name), schema, log)
      rooms.set(name, opened)
      // A room that could not be opened is tried again the next time.
      opened.catch(() => rooms.delete(name))
      return opened
    },
    has: name => exists(join(root, name)),
    async names() {
      const folders = await readdir(root, { withFileTypes: true }).catch(() => [])
      return folders.filter(entry => entry.isDirectory()).map(({ name }) => name)
    },
  }
}

const pictureFormats: Partial<Record<string, PictureEntry['format']>> = {
  jpeg: 'jpg',
  jpg: 'jpg',
  png: 'png',
  webp: 'webp',
}

/** From the decoder's name of a format to the file's extension. Throws `unsupported-media-type`. */
export function pictureFormat(format: string): PictureEntry['format'] {
  const extension = Object.hasOwn(pictureFormats, format) ? pictureFormats[format] : undefined
  if (extension !== undefined) return extension
  throw new CorunError(
    'unsupported-media-type',
    `a picture is "${format}"; expected ${Object.keys(pictureFormats).join(', ')}`,
  )
}

/** Undefined when the file is gone. */
export const readPicture = (file: string): Promise<Uint8Array | undefined> =>
  readFile(file).catch(() => undefined)

const nameOf = ({ id, format }: Pick<PictureEntry, 'id' | 'format'>) => `${id}.${format}`

const sizeOf = (file: string): Promise<number> =>
  stat(file).then(
    ({ size }) => size,
    () => 0,
  )

const exists = (file: string) =>
  access(file).then(
    () => true,
    () => false,
  )
