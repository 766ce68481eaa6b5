/** How many pictures go through a model at once: as many as memory holds, measured. */
import { CorunError } from '../core/errors.ts'

export interface MicroBatchRequest {
  /** Pictures of a step: the most there is use for. */
  batchSize: number
  /** What the trainer may take. */
  memoryBytes: number
  /** Makes a step with that many pictures at once, and answers the memory that the process has taken. */
  measure(pictures: number): Promise<number>
}

/** Memory does not grow quite as a line: a prediction must leave this share free. */
const margin = 0.1

/**
 * Measures one picture. Where that leaves a doubt about the whole batch, measures two, draws a line, and tries the largest
 * equal part of the batch that fits by it, then smaller ones until one has been seen to fit.
 *
 * @throws CorunError `not-trainable` when not even one picture fits
 */
export async function chooseMicroBatch({
  batchSize,
  memoryBytes,
  measure,
}: MicroBatchRequest): Promise<number> {
  const one = await measure(1)
  if (one > memoryBytes) {
    throw new CorunError(
      'not-trainable',
      `a step with one picture takes ${mebibytes(one)} of memory, ${mebibytes(memoryBytes)} are left for training; expected fewer trained layers (trainable), smaller pictures, or a larger --memory-budget`,
    )
  }
  // It grows no faster than with the number of pictures.
  if (one * batchSize <= memoryBytes) return batchSize
  const two = await measure(2)
  if (two > memoryBytes) return 1
  for (const pictures of equalParts(batchSize)) {
    if (pictures <= 2) return pictures
    const predicted = one + Math.max(0, two - one) * (pictures - 1)
    if (predicted <= memoryBytes * (1 - margin) && (await measure(pictures)) <= memoryBytes) return pictures
  }
  return 1
}

/** The sizes of parts when a batch is taken in 1, 2, 3, ... of them: 16, 8, 6, 4, 3, 2, 1. */
export function equalParts(batchSize: number): number[] {
  const sizes = Array.from({ length: batchSize }, (_, parts) => Math.ceil(batchSize / (parts + 1)))
  return [...new Set(sizes)]
}

const mebibytes = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`
