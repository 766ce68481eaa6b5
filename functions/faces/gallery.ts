/**
 * The people who are known: vectors of their faces, a file a picture, a folder a person. No picture is kept. Files are
 * written whole and never changed, so that threads and processes may read and write at once.
 */
import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Person } from './match.ts'

export interface Gallery {
  people(): Promise<Person[]>
  /** Answers how many pictures the person has now. */
  enrol(name: string, vector: Float32Array): Promise<number>
  /** Whether the person was known. */
  remove(name: string): Promise<boolean>
}

/** More tell little more: the oldest makes room. */
const mostPictures = 10
const suffix = '.f32'

/** `folder` may be missing parts. What was read stays in memory, since no file changes. */
export function openGallery(folder: string): Gallery {
  const known = new Map<string, Float32Array>()
  const root = join(folder, 'people')
  // Names may hold what file systems do not take; `%` never comes from encoding twice.
  const folderOf = (name: string) => join(root, encodeURIComponent(name))

  async function pictures(place: string): Promise<string[]> {
    const names = await readdir(place).catch(missingIsEmpty)
    // They begin with the time of their writing.
    return names.filter(name => name.endsWith(suffix)).sort()
  }

  async function read(file: string): Promise<Float32Array[]> {
    const present = known.get(file)
    if (present !== undefined) return [present]
    // Another thread may have removed it since it was listed.
    const bytes = await readFile(file).catch(() => undefined)
    if (bytes === undefined) return []
    const vector = new Float32Array(new Uint8Array(bytes).buffer)
    known.set(file, vector)
    return [vector]
  }

  return {
    async people() {
      const names = (await readdir(root).catch(missingIsEmpty)).sort()
      const found = await Promise.all(
        names.map(async encoded => {
          const place = join(root, encoded)
          const vectors = await Promise.all((await pictures(place)).map(name => read(join(place, name))))
          return { name: decodeURIComponent(encoded), vectors: vectors.flat() }
        }),
      )
      return found.filter(({ vectors }) => vectors.length > 0)
    },
    async enrol(name, vector) {
      const place = folderOf(name)
      await mkdir(place, { recursive: true })
      const file = join(place, `${Date.now().toString().padStart(15, '0')}-${randomUUID()}${suffix}`)
      await writeFile(`${file}.new`, vector)
      await rename(`${file}.new`, file)
      const all = await pictures(place)
      for (const old of all.slice(0, -mostPictures)) await rm(join(place, old), { force: true })
      return Math.min(all.length, mostPictures)
    },
    async remove(name) {
      const place = folderOf(name)
      const had = (await pictures(place)).length > 0
      await rm(place, { recursive: true, force: true })
      for (const file of known.keys()) if (file.startsWith(join(place, '/'))) known.delete(file)
      return had
    },
  }
}

function missingIsEmpty(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return []
  throw error
}
