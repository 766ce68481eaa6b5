/**
 * Pictures of requests that were kept, so that feedback has something to attach to: `captures/<function>/`. They
 * expire, and the oldest go when their bytes are used up. Which ones are kept is worker/capture.ts's to say.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { z } from 'zod'
import { type Clock, systemClock } from '../core/clock.ts'
import type { CheckedCapture } from '../core/watching-schema.ts'
import type { Logger } from '../observe/log.ts'
import {
  openPictureRooms,
  pictureEntrySchema,
  pictureFormat,
  readPicture,
  type Sized,
} from './picture-room.ts'

/** `id`: SHA-256 of the request's id, which callers choose and files could not be called by. */
const entrySchema = pictureEntrySchema.extend({
  requestId: z.string(),
  /** Which model, and which version of it, answered what. */
  model: z.string(),
  version: z.string(),
  label: z.string(),
  probability: z.number(),
  /** ISO 8601. */
  expiresAt: z.string(),
})
type Entry = z.output<typeof entrySchema>

export interface Capture {
  requestId: string
  model: string
  version: string
  label: string
  probability: number
  body: Uint8Array
  format: string
}

export interface CaptureStore {
  /** Keeps the picture and lets expired and superfluous ones go. */
  add(name: string, capture: Capture, limits: Pick<CheckedCapture, 'keepHours' | 'maxBytes'>): Promise<void>
  /** Undefined when the request was not captured, or is no longer. */
  get(name: string, requestId: string): Promise<Capture | undefined>
  /** It has become a sample, or is not wanted. */
  remove(name: string, requestId: string): Promise<void>
  /** Removes what has expired, of every function that has captures. */
  expire(): Promise<void>
  count(name: string): Promise<{ count: number; bytes: number }>
}

export interface CaptureStoreOptions {
  dataDir: string
  log: Logger
  clock?: Clock
}

export function createCaptureStore({ dataDir, log, clock = systemClock }: CaptureStoreOptions): CaptureStore {
  const rooms = openPictureRooms(join(dataDir, 'captures'), entrySchema, log)
  const iso = (ms: number) => new Date(ms).toISOString()
  const isOver = ({ expiresAt }: Entry) => Date.parse(expiresAt) <= clock.now()

  /** What has expired, and the oldest of the rest while there are more than `maxBytes`. */
  function superfluous(entries: readonly Sized<Entry>[], maxBytes: number): string[] {
    const ids = entries.filter(isOver).map(({ id }) => id)
    const rest = entries.filter(entry => !isOver(entry))
    let bytes = rest.reduce((sum, entry) => sum + entry.bytes, 0)
    for (const entry of rest.slice(0, -1)) {
      if (bytes <= maxBytes) break
      bytes -= entry.bytes
      ids.push(entry.id)
    }
    return ids
  }

  return {
    async add(name, { body, format, ...said }, { keepHours, maxBytes }) {
      const room = await rooms.of(name)
      await room.inTurn(async () => {
        const at = clock.now()
        const entry = {
          ...said,
          id: idOf(said.requestId),
          format: pictureFormat(format),
          bytes: body.byteLength,
          at: iso(at),
          expiresAt: iso(at + keepHours * 3_600_000),
        }
        const others = [...room.entries.values()].filter(({ id }) => id !== entry.id)
        await room.put(entry, body, {
          ids: superfluous([...others, entry], maxBytes),
          at: iso(at),
          why: 'room',
        })
      })
    },
    async get(name, requestId) {
      const room = await rooms.of(name)
      // After what is being kept: feedback may come at once.
      return room.inTurn(async () => {
        const entry = room.entries.get(idOf(requestId))
        if (entry === undefined || isOver(entry)) return undefined
        const body = await readPicture(room.file(entry))
        const { model, version, label, probability, format } = entry
        return body && { requestId, model, version, label, probability, body, format }
      })
    },
    async remove(name, requestId) {
      const room = await rooms.of(name)
      await room.inTurn(() => room.remove({ ids: [idOf(requestId)], at: iso(clock.now()), why: 'used' }))
    },
    async expire() {
      for (const name of await rooms.names()) {
        const room = await rooms.of(name)
        await room.inTurn(() =>
          room.remove({
            ids: superfluous([...room.entries.values()], Number.POSITIVE_INFINITY),
            at: iso(clock.now()),
            why: 'expired',
          }),
        )
      }
    },
    async count(name) {
      const entries = await (await rooms.of(name)).present()
      return { count: entries.length, bytes: entries.reduce((sum, { bytes }) => sum + bytes, 0) }
    },
  }
}

const idOf = (requestId: string) => createHash('sha256').update(requestId).digest('hex')
