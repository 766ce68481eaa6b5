/**
 * Features instead of pictures: what the frozen part of a model makes of each, computed once and kept in a file for
 * all epochs. Holds only without augmentation, which there is none of.
 */
import { type FileHandle, open, rm } from 'node:fs/promises'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { Control } from './control.ts'
import type { Dataset } from './dataset.ts'
import type { FrozenPart } from './make-step.ts'

export interface FeatureCache {
  dataset: Dataset
  /** Removes the file. */
  close(): Promise<void>
}

export interface FeatureCacheOptions {
  file: string
  /** Dimensions of a picture: channels, height, width. */
  pictureDims: readonly number[]
  session: InferenceSession.SessionOptions
  control: Control
}

/** Runs the frozen part over every picture. Undefined when it was stopped. */
export async function cacheFeatures(
  pictures: Dataset,
  frozen: FrozenPart,
  { file, pictureDims, session: options, control }: FeatureCacheOptions,
): Promise<FeatureCache | undefined> {
  const session = await InferenceSession.create(frozen.model, options)
  const handle = await open(file, 'w+')
  const close = async () => {
    await handle.close()
    await rm(file, { force: true })
  }
  try {
    const targets = await fill(handle, pictures, frozen, session, pictureDims, control)
    if (targets !== undefined) return { dataset: readFrom(handle, targets, featureLength(frozen)), close }
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

/** Writes the features of every picture in order, and answers the pictures' targets. */
async function fill(
  handle: FileHandle,
  pictures: Dataset,
  { input, output, dims }: FrozenPart,
  session: InferenceSession,
  pictureDims: readonly number[],
  control: Control,
): Promise<Float32Array[] | undefined> {
  const [batchSize = 1] = dims
  const length = pictureDims.reduce((product, dim) => product * dim, 1)
  const targets: Float32Array[] = []
  for (let start = 0; start < pictures.length; start += batchSize) {
    if (!(await control.mayGoOn())) return undefined
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
    targets.push(...rows.map(row => row.targets))
  }
  return targets
}

/** The system's page cache keeps what is read again and again. */
function readFrom(handle: FileHandle, targets: readonly Float32Array[], length: number): Dataset {
  return {
    length: targets.length,
    async get(index) {
      const row = targets[index]
      if (row === undefined) throw new RangeError(`picture ${index} of ${targets.length}`)
      const data = new Float32Array(length)
      await handle.read(data, 0, data.byteLength, index * data.byteLength)
      return { data, targets: row }
    },
  }
}
