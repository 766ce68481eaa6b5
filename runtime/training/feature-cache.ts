/**
 * Features instead of pictures: what the frozen part of a model makes of each, computed once and kept in a file for
 * all epochs, and for a run that goes on after an interruption. Holds only without augmentation.
 */
import { type FileHandle, open, readFile, rm } from 'node:fs/promises'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { writeDurably } from '../state/durable-file.ts'
import type { Control } from './control.ts'
import type { Dataset, Picture } from './dataset.ts'
import type { FrozenPart } from './make-step.ts'

export interface FeatureCache {
  dataset: Dataset
  close(): Promise<void>
}

export interface FeatureCacheOptions {
  /** Beside it, under the same name and `.identity`, it says what it holds when it is whole. */
  file: string
  /** Says which features these are: a whole file with the same one is used again. Without it the file goes at the end. */
  identity?: string
  /** Dimensions of a picture: channels, height, width. */
  pictureDims: readonly number[]
  session: InferenceSession.SessionOptions
  control: Control
}

/** Runs the frozen part over every picture. Undefined when it was stopped. */
export async function cacheFeatures(
  pictures: Dataset,
  frozen: FrozenPart,
  { file, identity, pictureDims, session: options, control }: FeatureCacheOptions,
): Promise<FeatureCache | undefined> {
  const length = featureLength(frozen)
  const mark = `${file}.identity`
  const kept =
    identity !== undefined && (await readFile(mark, 'utf8').catch(() => undefined)) === identity
      ? await open(file, 'r').catch(() => undefined)
      : undefined
  if (kept !== undefined) {
    const { size } = await kept.stat()
    if (size === pictures.length * length * Float32Array.BYTES_PER_ELEMENT) {
      return { dataset: readFrom(kept, pictures, length), close: () => kept.close() }
    }
    await kept.close()
  }
  await rm(mark, { force: true })
  const session = await InferenceSession.create(frozen.model, options)
  const handle = await open(file, 'w+')
  const close = async () => {
    await handle.close()
    if (identity === undefined) await rm(file, { force: true })
  }
  try {
    if (await fill(handle, pictures, frozen, session, pictureDims, control)) {
      await handle.sync()
      if (identity !== undefined) await writeDurably(mark, identity)
      return { dataset: readFrom(handle, pictures, length), close }
    }
    await close()
    return undefined
  } catch (error) {
    await close()
    throw error
  } finally {
    await session.release()
  }
}

const featureLength = ({ dims }: FrozenPart) => dims.slice(1).reduce((product, dim) => product * dim, 1)

/** Writes the features of every picture in order; false when it was stopped. */
async function fill(
  handle: FileHandle,
  pictures: Dataset,
  { input, output, dims }: FrozenPart,
  session: InferenceSession,
  pictureDims: readonly number[],
  control: Control,
): Promise<boolean> {
  const [batchSize = 1] = dims
  const length = pictureDims.reduce((product, dim) => product * dim, 1)
  for (let start = 0; start < pictures.length; start += batchSize) {
    if (!(await control.mayGoOn())) return false
    const count = Math.min(batchSize, pictures.length - start)
    const rows = await Promise.all(Array.from({ length: count }, (_, row) => pictures.get(start + row)))
    const images = new Float32Array(batchSize * length)
    for (const [row, { data }] of rows.entries()) images.set(data, row * length)
    const results = await session.run({ [input]: new Tensor('float32', images, [batchSize, ...pictureDims]) })
    const features = results[output]?.data
    if (!(features instanceof Float32Array))
      throw new TypeError(`features are ${results[output]?.type}; expected float32`)
    const bytes = (features.byteLength / batchSize) * count
    await handle.write(new Uint8Array(features.buffer, features.byteOffset, bytes))
  }
  return true
}

/** The system's page cache keeps what is read again and again. */
function readFrom(handle: FileHandle, pictures: Dataset, length: number): Dataset {
  return {
    length: pictures.length,
    target: pictures.target,
    async get(index): Promise<Picture> {
      const { targets, weight = 1 } = pictures.target(index)
      const data = new Float32Array(length)
      await handle.read(data, 0, data.byteLength, index * data.byteLength)
      return { data, targets, weight }
    },
  }
}
