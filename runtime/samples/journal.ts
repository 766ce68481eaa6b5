/**
 * An append-only file of JSON lines: an entry that was answered is on disk, and a line that a crash tore is
 * dropped. What the entries mean is in picture-room.ts.
 */
import { open, readFile, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'
import type { Logger } from '../observe/log.ts'
import { makeFolder, syncFolder, writeDurably } from '../state/durable-file.ts'

export interface Journal<Entry> {
  /** What was in the file when it was opened, oldest first. */
  readonly entries: readonly Entry[]
  /** Lines that were there and could not be read. They stay in the file. */
  readonly damaged: number
  /** Resolves when the entries are on disk. One call at a time. A crash may keep the first of them alone. */
  append(entries: readonly Entry[]): Promise<void>
  /** Puts these in the place of all there were, in one step. */
  rewrite(entries: readonly Entry[]): Promise<void>
}

export async function openJournal<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
  log: Logger,
): Promise<Journal<z.output<Schema>>> {
  await makeFolder(dirname(file))
  const text = await readFile(file, 'utf8').catch(error => {
    if (error.code === 'ENOENT') return ''
    throw error
  })
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  if (whole.length < text.length) {
    log.warn({ file }, 'the last line of a journal was torn by a crash: it is dropped')
    await truncate(file, Buffer.byteLength(whole))
  }
  const entries: z.output<Schema>[] = []
  let damaged = 0
  for (const [index, line] of whole.split('\n').slice(0, -1).entries()) {
    const entry = parseLine(line, schema)
    if (entry.success) entries.push(entry.data)
    else {
      damaged += 1
      log.warn({ file, line: index + 1 }, 'a line of a journal is damaged: it is skipped')
    }
  }
  return {
    entries,
    damaged,
    async append(entries) {
      const handle = await open(file, 'a')
      try {
        const { size } = await handle.stat()
        try {
          await handle.appendFile(linesOf(entries))
          await handle.sync()
        } catch (error) {
          // A full disk may have taken half a line: the next one must not be glued to it.
          await handle.truncate(size).catch(() => undefined)
          throw error
        }
        if (size === 0) await syncFolder(dirname(file))
      } finally {
        await handle.close()
      }
    },
    rewrite: entries => writeDurably(file, linesOf(entries)),
  }
}

const linesOf = (entries: readonly unknown[]) => entries.map(entry => `${JSON.stringify(entry)}\n`).join('')

function parseLine<Schema extends z.ZodType>(line: string, schema: Schema) {
  try {
    return schema.safeParse(JSON.parse(line))
  } catch {
    return { success: false } as const
  }
}
