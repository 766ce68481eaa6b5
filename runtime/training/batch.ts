/** Pictures side by side in the fixed shape of a training step. */
import type { Dataset } from './dataset.ts'

export interface Batch {
  /** float32 [batchSize, channels, height, width]; rows after the last picture are zero. */
  images: Float32Array
  /** float32 [batchSize, classes] */
  targets: Float32Array
  /** float32 [batchSize]: what each picture counts, 0 for a row that only fills the shape. */
  weights: Float32Array
  count: number
}

export async function makeBatch(
  dataset: Dataset,
  indices: readonly number[],
  shape: { batchSize: number; pictureLength: number; classes: number },
  epoch?: number,
): Promise<Batch> {
  const { batchSize, pictureLength, classes } = shape
  const pictures = await Promise.all(indices.map(index => dataset.get(index, epoch)))
  const images = new Float32Array(batchSize * pictureLength)
  const targets = new Float32Array(batchSize * classes)
  const weights = new Float32Array(batchSize)
  for (const [row, picture] of pictures.entries()) {
    images.set(picture.data, row * pictureLength)
    targets.set(picture.targets, row * classes)
    weights[row] = picture.weight ?? 1
  }
  return { images, targets, weights, count: pictures.length }
}
