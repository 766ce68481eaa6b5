/** Pictures as tensors: decoded and resized once, kept in memory up to a limit, read again beyond it. */
import type { LabelledFile } from '../core/messages.ts'

export interface Picture {
  /** float32 [channels, height, width]. */
  data: Float32Array
  /** Index of its class. */
  label: number
}

export interface Dataset {
  readonly length: number
  get(index: number): Promise<Picture>
}

/** `prepare` decodes a file. `cacheBytes` bounds what is kept. */
export function createDataset(
  files: readonly LabelledFile[],
  { prepare, cacheBytes }: { prepare(file: string): Promise<Float32Array>; cacheBytes: number },
): Dataset {
  const cache = new Map<number, Picture>()
  let cachedBytes = 0
  return {
    length: files.length,
    async get(index) {
      const cached = cache.get(index)
      if (cached !== undefined) return cached
      const entry = files[index]
      if (entry === undefined) throw new RangeError(`picture ${index} of ${files.length}`)
      const picture = { data: await prepare(entry.file), label: entry.label }
      if (cachedBytes + picture.data.byteLength <= cacheBytes && !cache.has(index)) {
        cache.set(index, picture)
        cachedBytes += picture.data.byteLength
      }
      return picture
    },
  }
}
