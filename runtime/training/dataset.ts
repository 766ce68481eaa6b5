/** Pictures as tensors: decoded and resized once, kept in memory up to a limit, read again beyond it. */
import type { LabelledFile } from '../core/trainer-messages.ts'

export interface Target {
  /** float32 [labels]: what the model should say, as its loss takes it. */
  targets: Float32Array
  /** How much it counts in the loss; 1 when left out. */
  weight?: number
}

export interface Picture extends Target {
  /** float32 [channels, height, width]. */
  data: Float32Array
}

export interface Dataset {
  readonly length: number
  /** `epoch`: for what is drawn anew in each; the picture itself without it. */
  get(index: number, epoch?: number): Promise<Picture>
  /** What it should say, without its pixels. */
  target(index: number): Target
}

/** `prepare` decodes a file, `read` a label, `weigh` says how much it counts. `cacheBytes` bounds what is kept. */
export function createDataset(
  files: readonly LabelledFile[],
  {
    prepare,
    read,
    weigh = () => 1,
    cacheBytes,
  }: {
    prepare(file: string): Promise<Float32Array>
    read(label: string): Float32Array
    weigh?(label: string): number
    cacheBytes: number
  },
): Dataset {
  const cache = new Map<number, Picture>()
  let cachedBytes = 0
  const entryAt = (index: number): LabelledFile => {
    const entry = files[index]
    if (entry === undefined) throw new RangeError(`picture ${index} of ${files.length}`)
    return entry
  }
  const target = (index: number): Target => {
    const { label } = entryAt(index)
    return { targets: read(label), weight: weigh(label) }
  }
  return {
    length: files.length,
    target,
    async get(index) {
      const cached = cache.get(index)
      if (cached !== undefined) return cached
      const said = target(index)
      const picture = { data: await prepare(entryAt(index).file), ...said }
      if (cachedBytes + picture.data.byteLength <= cacheBytes && !cache.has(index)) {
        cache.set(index, picture)
        cachedBytes += picture.data.byteLength
      }
      return picture
    },
  }
}
