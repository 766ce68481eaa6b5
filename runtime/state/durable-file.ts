/**
 * Files that are whole or absent after a power cut: written beside, synced, renamed, and the folder synced.
 * One writer a file is the caller's care.
 */
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

const leftover = '.tmp'

/**
 * Replaces `file` in one step. The temporary name is fixed, so a crash leaves at most one, which the next write takes; a
 * write that fails leaves none, since it may have failed for want of room.
 */
export async function writeDurably(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = join(dirname(file), `.${basename(file)}${leftover}`)
  try {
    await writeSynced(temporary, content)
    await rename(temporary, file)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncFolder(dirname(file))
}

async function writeSynced(file: string, content: string | Uint8Array): Promise<void> {
  const handle = await open(file, 'w')
  try {
    await handle.writeFile(content)
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Makes a rename or a new name in `folder` survive a power cut. Windows cannot sync a folder, and need not. */
export async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Creates `folder` with its parents, and makes their names last. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true })
  if (first === undefined) return
  for (let path = folder; path.length >= first.length; path = dirname(path)) await syncFolder(dirname(path))
}

/** Removes what a killed writer left in `folder`. */
export async function removeLeftovers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (name.startsWith('.') && name.endsWith(leftover)) await rm(join(folder, name), { force: true })
  }
}
