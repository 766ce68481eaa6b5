/**
 * An append-only file of JSON lines: an entry that was answered is on disk, and a line that a crash tore is
 * dropped. What the entries mean is in sample-store.ts.
 */
import { open, readFile, truncate } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { z } from 'zod'
import type { Logger } from '../observe/log.ts'
import { makeFolder, syncFolder } from '../state/durable-file.ts'

export interface Journal<Entry> {
  /** What was in the file when it was opened, oldest first. */
  readonly entries: readonly Entry[]
  /** Resolves when the entry is on disk. One call at a time. */
  append(entry: Entry): Promise<void>
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
  for (const [index, line] of whole.split('\n').slice(0, -1).entries()) {
    const entry = parseLine(line, schema)
    if (entry.success) entries.push(entry.data)
    else log.warn({ file, line: index + 1 }, 'a line of a journal is damaged: it is skipped')
  }
  return {
    entries,
    async append(entry) {
      const handle = await open(file, 'a')
      try {
        const { size } = await handle.stat()
        try {
          await handle.appendFile(`${JSON.stringify(entry)}\n`)
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
  }
}

function parseLine<Schema extends z.ZodType>(line: string, schema: Schema) {
  try {
    return schema.safeParse(JSON.parse(line))
  } catch {
    return { success: false } as const
  }
}
