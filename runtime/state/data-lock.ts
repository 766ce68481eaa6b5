/**
 * One server a data directory: `lock.json` names the process that holds it. A lock whose process is gone is
 * taken over; that a process id was reused is seen from the process's start time (Linux).
 */
import { createHash, randomUUID } from 'node:crypto'
import { link, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { type Clock, systemClock } from '../core/clock.ts'
import { orDiskFull } from '../core/disk-full.ts'
import { CorunError } from '../core/errors.ts'
import { makeFolder, writeDurably } from './durable-file.ts'

const lockSchema = z.object({
  pid: z.int(),
  url: z.string(),
  /** ISO 8601. */
  startedAt: z.string(),
  /** Start of the process in kernel ticks since boot; null where /proc does not tell. */
  processStart: z.string().nullable(),
})
type Lock = z.output<typeof lockSchema>

export interface DataLock {
  /** Tells others where this server listens, once it knows. */
  setUrl(url: string): Promise<void>
  release(): Promise<void>
}

/** Takes the lock of `folder`, creating the folder. Throws `data-in-use` while another process holds it. */
export async function lockDataDirectory(
  folder: string,
  { url, clock = systemClock }: { url: string; clock?: Clock },
): Promise<DataLock> {
  await makeFolder(folder).catch(cause => {
    const error = orDiskFull(cause, `data directory ${folder}`)
    if (error instanceof CorunError) throw error
    throw new CorunError('invalid-config', `data directory ${folder} cannot be used: ${cause.message}`, {
      cause,
    })
  })
  const file = join(folder, 'lock.json')
  const mine: Lock = {
    pid: process.pid,
    url,
    startedAt: new Date(clock.now()).toISOString(),
    processStart: await processStart(process.pid),
  }
  while (!(await claim(file, mine))) {
    const text = await readFile(file, 'utf8').catch(error => {
      if (error.code === 'ENOENT') return undefined // its holder has just let go
      throw new CorunError(
        'data-in-use',
        `${file} cannot be read (${error.message}): remove it if no server uses it`,
      )
    })
    if (text === undefined) continue
    const holder = parseLock(text)
    if (holder && (await isAlive(holder))) throw inUse(folder, holder)
    await removeStale(file, text)
  }
  await removeLeftBeside(folder)
  return {
    setUrl: newUrl => writeDurably(file, JSON.stringify({ ...mine, url: newUrl })),
    release: () => rm(file, { force: true }),
  }
}

/** False when there is a lock already. `link` fails on an existing name, so the lock is never seen half-written. */
async function claim(file: string, lock: Lock): Promise<boolean> {
  const own = `${file}.${randomUUID()}`
  await writeFile(own, JSON.stringify(lock))
  try {
    await link(own, file)
    return true
  } catch (error) {
    if (isCode(error, 'EEXIST')) return false
    throw error
  } finally {
    await rm(own, { force: true })
  }
}

/**
 * Removes the lock whose text was found stale. One starter at a time does so, by a guard that is named by the text: nobody
 * else removes it, and a lock that is there is not replaced, so that what is removed is what was read.
 */
async function removeStale(file: string, staleText: string): Promise<void> {
  const guard = `${file}.${createHash('sha256').update(staleText).digest('hex').slice(0, 16)}`
  try {
    await writeFile(guard, '', { flag: 'wx' })
  } catch (error) {
    if (!isCode(error, 'EEXIST')) throw error
    if ((await ageMs(guard)) > guardMs) await rm(guard, { force: true })
    return new Promise(resolve => setTimeout(resolve, 5))
  }
  try {
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === staleText) await rm(file, { force: true })
  } finally {
    await rm(guard, { force: true })
  }
}

/** A guard is held for some system calls: an older one was left by a kill. */
const guardMs = 10_000

/** What killed starters left beside the lock. */
async function removeLeftBeside(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/^lock\.json\.[0-9a-f-]+$/.test(name)) continue
    const file = join(folder, name)
    if ((await ageMs(file)) > 60_000) await rm(file, { force: true })
  }
}

/** 0 when it is gone. */
const ageMs = (file: string): Promise<number> =>
  stat(file).then(
    ({ mtimeMs }) => Date.now() - mtimeMs,
    () => 0,
  )

const isCode = (error: unknown, code: string) =>
  error instanceof Error && 'code' in error && error.code === code

function parseLock(text: string): Lock | undefined {
  try {
    return lockSchema.parse(JSON.parse(text))
  } catch {
    return undefined // a lock that names nobody protects nobody
  }
}

async function isAlive(lock: Lock): Promise<boolean> {
  if (lock.processStart !== null) return (await processStart(lock.pid)) === lock.processStart
  try {
    process.kill(lock.pid, 0)
    return true
  } catch (error) {
    return isCode(error, 'EPERM')
  }
}

/** Field 22 of /proc/<pid>/stat (proc(5)); the second field may hold spaces, so counting begins after its `)`. */
async function processStart(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ended = fields?.[0] === 'Z'
  return ended ? null : (fields?.[19] ?? null)
}

function inUse(folder: string, { pid, url, startedAt }: Lock): CorunError {
  return new CorunError(
    'data-in-use',
    `data directory ${folder} is used since ${startedAt} by process ${pid}, ${URL.canParse(url) ? `which serves ${url}` : 'which does not listen'}`,
    { details: { pid, url, startedAt } },
  )
}
