/** Model files under the name of their content: `<folder>/<sha256>.onnx`. What each is for is in lineage.ts. */
import { createHash } from 'node:crypto'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { makeFolder, removeLeftovers, writeDurably } from '../state/durable-file.ts'

export interface ModelFiles {
  path(sha256: string): string
  /** Stores content under its hash, and answers the hash; content that is there and whole is not written again. */
  put(content: Uint8Array): Promise<string>
  /** Whether the file is there and hashes to its name. */
  isWhole(sha256: string): Promise<boolean>
  remove(sha256: string): Promise<void>
}

export async function openModelFiles(folder: string): Promise<ModelFiles> {
  await makeFolder(folder)
  await removeLeftovers(folder)
  const path = (sha256: string) => join(folder, `${sha256}.onnx`)
  const isWhole = async (sha256: string) => {
    const content = await readFile(path(sha256)).catch(() => undefined)
    return content !== undefined && hashOf(content) === sha256
  }
  return {
    path,
    isWhole,
    async put(content) {
      const sha256 = hashOf(content)
      if (!(await isWhole(sha256))) await writeDurably(path(sha256), content)
      return sha256
    },
    remove: sha256 => rm(path(sha256), { force: true }),
  }
}

const hashOf = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')
