/**
 * The files of asynchronous invocations: `<id>.request` until there is `<id>.result`, a byte in `<id>.starts` for each time
 * that it began to run, and `<id>.callback`. Request and result are a line of JSON and then the body as it is.
 */
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import type { Logger } from '../observe/log.ts'
import { makeFolder, removeLeftovers, writeDurably } from '../state/durable-file.ts'
import {
  type CallbackRecord,
  callbackRecordSchema,
  type RequestRecord,
  type ResultRecord,
  requestRecordSchema,
  resultRecordSchema,
} from './record.ts'

/** What a start finds of one invocation. */
export interface KeptInvocation {
  request: RequestRecord
  result: ResultRecord | undefined
  callback: CallbackRecord | undefined
  /** Times that it began to run and did not end. */
  starts: number
  /** On disk. */
  bytes: number
}

export interface InvocationFiles {
  load(): Promise<KeptInvocation[]>
  /** Resolve to the bytes that were written. */
  writeRequest(record: RequestRecord, body: Uint8Array): Promise<number>
  writeResult(record: ResultRecord, body: Uint8Array): Promise<number>
  writeCallback(id: string, record: CallbackRecord): Promise<void>
  readBody(id: string, kind: 'request' | 'result'): Promise<Uint8Array<ArrayBuffer>>
  writeStarts(id: string, count: number): Promise<void>
  remove(id: string): Promise<void>
}

const newline = 10

export async function openInvocationFiles(folder: string, log: Logger): Promise<InvocationFiles> {
  await makeFolder(folder)
  await removeLeftovers(folder)
  const file = (id: string, kind: string) => join(folder, `${id}.${kind}`)
  const absent = (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  }

  async function read<Schema extends z.ZodType>(id: string, kind: string, schema: Schema) {
    const content = await readFile(file(id, kind)).catch(absent)
    if (content === undefined) return undefined
    try {
      const head = content.subarray(0, content.indexOf(newline)).toString()
      return { record: schema.parse(JSON.parse(head)), bytes: content.byteLength }
    } catch (error) {
      log.warn({ file: file(id, kind), err: error }, 'a file of an invocation is damaged: it is left alone')
      return undefined
    }
  }

  async function write(id: string, kind: string, record: object, body: Uint8Array): Promise<number> {
    const content = Buffer.concat([Buffer.from(`${JSON.stringify(record)}\n`), body])
    await writeDurably(file(id, kind), content)
    return content.byteLength
  }

  return {
    async load() {
      const names = await readdir(folder)
      const ids = new Set(names.map(name => /^([\w-]+)\.(?:request|result)$/.exec(name)?.[1]))
      const kept: KeptInvocation[] = []
      for (const id of ids) {
        if (id === undefined) continue
        const result = await read(id, 'result', resultRecordSchema)
        const request = result === undefined ? await read(id, 'request', requestRecordSchema) : undefined
        const found = result?.record.request ?? request?.record
        if (found === undefined) continue
        const callback = await read(id, 'callback', callbackRecordSchema)
        const starts = (await stat(file(id, 'starts')).catch(absent))?.size ?? 0
        const bytes = result?.bytes ?? request?.bytes ?? 0
        kept.push({ request: found, result: result?.record, callback: callback?.record, starts, bytes })
      }
      return kept.sort((a, b) => a.request.createdAt.localeCompare(b.request.createdAt))
    },
    writeRequest: (record, body) => write(record.id, 'request', record, body),
    async writeResult(record, body) {
      const { id } = record.request
      const bytes = await write(id, 'result', record, body)
      await rm(file(id, 'request'), { force: true })
      await rm(file(id, 'starts'), { force: true })
      return bytes
    },
    async writeCallback(id, record) {
      await write(id, 'callback', record, new Uint8Array())
    },
    async readBody(id, kind) {
      const content = await readFile(file(id, kind))
      return new Uint8Array(content.subarray(content.indexOf(newline) + 1))
    },
    writeStarts: (id, count) => writeFile(file(id, 'starts'), '.'.repeat(count)),
    async remove(id) {
      // The record goes first: what is left of a crash in the middle is nothing that is found.
      for (const kind of ['request', 'result', 'starts', 'callback'])
        await rm(file(id, kind), { force: true })
    },
  }
}
