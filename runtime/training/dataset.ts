/** Pictures as tensors: decoded and resized once, kept in memory up to a limit, read again beyond it. */
import type { LabelledFile } from '../core/messages.ts'

export interface Picture {
  /** float32 [channels, height, width]. */
  data: Float32Array
  /** float32 [labels]: what the model should say, as its loss takes it. */
  targets: Float32Array
}

export interface Dataset {
  readonly length: number
  get(index: number): Promise<Picture>
}

/** `prepare` decodes a file, `read` a label. `cacheBytes` bounds what is kept. */
export function createDataset(
  files: readonly LabelledFile[],
  {
    prepare,
    read,
    cacheBytes,
  }: {
    prepare(file: string): Promise<Float32Array>
    read(label: string): Float32Array
    cacheBytes: number
  },
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
      const targets = read(entry.label)
      const picture = { data: await prepare(entry.file), targets }
      if (cachedBytes + picture.data.byteLength <= cacheBytes && !cache.has(index)) {
        cache.set(index, picture)
        cachedBytes += picture.data.byteLength
      }
      return picture
    },
  }
}
