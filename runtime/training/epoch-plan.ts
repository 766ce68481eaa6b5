/** Which pictures make which step of an epoch: every sample once, mixed with a fresh draw of reference pictures. */
import { shuffled } from './random.ts'

export interface EpochShape {
  /** Pictures to learn from: indices 0 to samples - 1. */
  samples: number
  /** Reference pictures to draw from: the indices after them. */
  replayPool: number
  /** Reference pictures an epoch, as a share of the samples. */
  replay: number
  batchSize: number
}

export function stepsPerEpoch(shape: EpochShape): number {
  return Math.ceil((shape.samples + replayCount(shape)) / shape.batchSize)
}

/** Indices of each step's pictures; the last step may have fewer than `batchSize`. */
export function planEpoch(shape: EpochShape, random: () => number): number[][] {
  const { samples, replayPool, batchSize } = shape
  const range = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index)
  const drawn = shuffled(range(samples, replayPool), random).slice(0, replayCount(shape))
  const order = shuffled([...range(0, samples), ...drawn], random)
  return range(0, stepsPerEpoch(shape)).map(step => order.slice(step * batchSize, (step + 1) * batchSize))
}

const replayCount = ({ samples, replayPool, replay }: EpochShape) =>
  Math.min(replayPool, Math.round(samples * replay))
