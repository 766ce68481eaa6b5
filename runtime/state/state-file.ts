/**
 * A lowdb file that is checked by zod when it is opened and written durably on every update.
 * Which facts go into which file is the business of the rooms that open one.
 */
import { readFile, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { type Adapter, Low } from 'lowdb'
import type { z } from 'zod'
import { CorunError } from '../core/errors.ts'
import { issuesText } from '../core/issues-text.ts'
import { makeFolder, writeDurably } from './durable-file.ts'
import { createSerial } from './serial.ts'

export interface StateFile<State> {
  readonly file: string
  /** What is on disk. Replaced, never changed, by an update: a reader may keep it. */
  readonly data: State
  /**
   * Changes a copy, writes it, and only then shows it as `data`. Updates run one after another. When `change`
   * throws, or the disk refuses, nothing has changed.
   */
  update<Result>(change: (draft: State) => Result): Promise<Result>
}

/**
 * Opens a state file; `initial` is used while there is none. Throws `state-invalid` and leaves the file alone
 * when it does not fit the schema, whose `version` literal tells formats apart.
 */
export async function openState<Schema extends z.ZodType<{ version: number }>>(
  file: string,
  schema: Schema,
  initial: z.output<Schema>,
): Promise<StateFile<z.output<Schema>>> {
  await makeFolder(dirname(file))
  await rm(join(dirname(file), `.${basename(file)}.tmp`), { force: true })
  const database = new Low<z.output<Schema>>(durableAdapter(file, schema), initial)
  await database.read()
  let shown = database.data
  const oneAtATime = createSerial()
  return {
    file,
    get data() {
      return shown
    },
    update: change =>
      oneAtATime(async () => {
        database.data = structuredClone(shown)
        const result = change(database.data)
        await database.write()
        shown = database.data
        return result
      }),
  }
}

/** What is on disk now, for a process that does not own the file; undefined when there is none. Throws `state-invalid`. */
export async function readState<Schema extends z.ZodType>(
  file: string,
  schema: Schema,
): Promise<z.output<Schema> | undefined> {
  const text = await readFile(file, 'utf8').catch(error => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  return text === undefined ? undefined : parseState(file, text, schema)
}

function durableAdapter<Schema extends z.ZodType>(file: string, schema: Schema): Adapter<z.output<Schema>> {
  return {
    read: async () => (await readState(file, schema)) ?? null,
    write: data => writeDurably(file, `${JSON.stringify(data, null, 1)}\n`),
  }
}

function parseState<Schema extends z.ZodType>(file: string, text: string, schema: Schema): z.output<Schema> {
  const invalid = (reason: string) =>
    new CorunError(
      'state-invalid',
      `state file ${file} ${reason}; restore it from a copy, or move it away to start afresh (it was not touched)`,
    )
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw invalid(`is not JSON: ${error instanceof Error ? error.message : error}`)
  }
  const result = schema.safeParse(value)
  if (!result.success) throw invalid(`does not fit its schema: ${issuesText(result.error)}`)
  return result.data
}
