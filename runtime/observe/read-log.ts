/** Reads the lines of a rotating log: those that are there, and on request those that come. */
import { type FileHandle, open } from 'node:fs/promises'
import { StringDecoder } from 'node:string_decoder'
import { setTimeout as sleep } from 'node:timers/promises'
import { olderLogs, rotatedNames } from './rotating-file.ts'

const pollMs = 200

export interface ReadLogOptions {
  /** Waits for more when the end is reached, until the signal aborts. */
  follow: boolean
  signal: AbortSignal
  /** Told once, when those that were there have been read. */
  onPresent(): void
}

/** Line by line, oldest first, without line feeds. */
export async function* readLog(file: string, options: ReadLogOptions): AsyncGenerator<string> {
  const { follow, signal, onPresent } = options
  let current: Cursor | undefined
  try {
    for (const name of rotatedNames(file, olderLogs)) {
      const next = await openCursor(name)
      if (next === undefined) continue
      await current?.handle.close()
      current = next
      yield* newLines(current)
    }
    onPresent()
    while (follow && !signal.aborted) {
      await sleep(pollMs, undefined, { signal }).catch(() => {})
      if (current !== undefined) yield* newLines(current)
      const next = await openCursor(file)
      if (next === undefined || (current !== undefined && (await sameFile(current, next)))) {
        await next?.handle.close()
        continue
      }
      // It was moved aside since the look above, and has got its last lines before that.
      if (current !== undefined) yield* newLines(current)
      await current?.handle.close()
      current = next
      yield* newLines(current)
    }
  } finally {
    await current?.handle.close()
  }
}

interface Cursor {
  handle: FileHandle
  decoder: StringDecoder
  /** Bytes that have been read. */
  at: number
  /** A line that has not ended yet. */
  begun: string
}

async function openCursor(name: string): Promise<Cursor | undefined> {
  try {
    return { handle: await open(name, 'r'), decoder: new StringDecoder('utf8'), at: 0, begun: '' }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}

async function* newLines(cursor: Cursor): AsyncGenerator<string> {
  const buffer = Buffer.alloc(64 * 1024)
  for (;;) {
    const { bytesRead } = await cursor.handle.read(buffer, 0, buffer.length, cursor.at)
    if (bytesRead === 0) return
    cursor.at += bytesRead
    const text = cursor.decoder.write(buffer.subarray(0, bytesRead))
    const lines = (cursor.begun + text).split('\n')
    cursor.begun = lines.pop() ?? ''
    yield* lines
  }
}

async function sameFile(a: Cursor, b: Cursor): Promise<boolean> {
  const [one, other] = await Promise.all([a.handle.stat(), b.handle.stat()])
  return one.ino === other.ino && one.dev === other.dev
}
