// What a soak asks a server for, and what it looks at from outside.
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ModelView } from '../../runtime/models/model-view.ts'
import type { RetrainingView } from '../../runtime/retraining/retraining-view.ts'
import { isOver, type RunRecord } from '../../runtime/retraining/run-record.ts'
import { createClient, type LoadItem } from '../bench/load.ts'
import type { ServerProcess } from '../demo/server-process.ts'
import { tinyModel, tinyName } from './tiny-function.ts'

export type Server = Pick<ServerProcess, 'url' | 'pid'>

async function api<T>({ url }: Server, path: string, method = 'GET'): Promise<T> {
  const response = await fetch(`${url}/api${path}`, { method })
  if (!response.ok)
    throw new Error(`${method} ${path} was answered ${response.status}: ${await response.text()}`)
  // The server is this same version: its answers are of the types that it is written with.
  return (await response.json()) as T
}

export const model = (server: Server) => api<ModelView>(server, `/models/${tinyModel}`)
export const retraining = (server: Server) => api<RetrainingView>(server, `/retraining/${tinyName}`)
export const startRun = (server: Server) => api<RunRecord>(server, `/retraining/${tinyName}/run`, 'POST')

/** Ids of the samples that the server has. */
export async function sampleIds(server: Server): Promise<Set<string>> {
  const { samples } = await api<{ samples: { id: string }[] }>(
    server,
    `/functions/${tinyName}/samples?list=true`,
  )
  return new Set(samples.map(({ id }) => id))
}

/** Posts a sample and answers its id when it was taken; undefined when it was not, for whatever reason. */
export async function postSample(server: Server, item: LoadItem): Promise<string | undefined> {
  const client = createClient(`${server.url}/api/functions/${tinyName}/samples?label=${item.label}`, 1)
  try {
    const { status, body } = await client.send(item)
    return status === 201 ? (JSON.parse(body) as { id: string }).id : undefined
  } catch {
    return undefined
  } finally {
    client.close()
  }
}

/** Until no run is active or waits. Throws when that takes longer than `limitMs`. */
export async function untilIdle(server: Server, limitMs: number): Promise<RetrainingView> {
  for (const startedAt = performance.now(); ; ) {
    const view = await retraining(server)
    if (view.active === null && view.runs.every(isOver)) return view
    if (performance.now() - startedAt > limitMs) {
      throw new Error(`a run is stuck: ${JSON.stringify(view.active)}`)
    }
    // Asking without a pause would take the trainer's processor time.
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** The process that holds a data directory: under a supervisor it is not the one that was started. */
export const servingPid = async (data: string): Promise<number> =>
  JSON.parse(await readFile(join(data, 'lock.json'), 'utf8')).pid

/** Of a Linux process, in bytes. */
export async function residentOf(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024
}

/** The server's child that trains. */
export async function trainerOf({ pid }: Server): Promise<number | undefined> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  for (const child of children.trim().split(' ').filter(Boolean).map(Number)) {
    const command = await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')
    if (command.includes('trainer.js')) return child
  }
  return undefined
}

/** Files in a folder and below it, by their bytes. */
export async function diskUse(folder: string): Promise<{ files: number; bytes: number }> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const sizes = await Promise.all(names.map(name => stat(join(folder, name)).catch(() => undefined)))
  const files = sizes.filter(found => found?.isFile())
  return { files: files.length, bytes: files.reduce((sum, found) => sum + (found?.size ?? 0), 0) }
}
