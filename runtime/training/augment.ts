/**
 * Pictures as they might have been taken: cropped, mirrored, blurred, brighter, of another colour, noisier. Works on
 * decoded tensors, and draws by the run's seed, the epoch and the picture alone.
 */
import type { ImageInput } from '../core/definition.ts'
import type { Augmentation } from '../core/retraining-definition.ts'
import type { Dataset } from './dataset.ts'
import { normalFrom, seedAt, seededRandom } from './random.ts'

type Shape = Pick<ImageInput, 'width' | 'height' | 'mean' | 'std'>

/** `seed`: of the run. Pictures that are asked for without an epoch are as they are. */
export function augmented(
  dataset: Dataset,
  options: Augmentation,
  { shape, seed }: { shape: Shape; seed: number },
): Dataset {
  return {
    length: dataset.length,
    target: dataset.target,
    async get(index, epoch) {
      const picture = await dataset.get(index)
      if (epoch === undefined) return picture
      const random = seededRandom(seedAt(seed, epoch, index))
      return { ...picture, data: augmentPicture(picture.data, shape, options, random) }
    },
  }
}

/** @param data float32 [channels, height, width], normalized by `mean` and `std`; it stays as it is */
export function augmentPicture(
  data: Float32Array,
  shape: Shape,
  { flip = false, crop = 0, blur = 0, exposure = 0, color = 0, noise = 0 }: Augmentation,
  random: () => number,
): Float32Array {
  // Every number is drawn whether it is used or not: one option more does not change what the others do.
  const [side, left, top, mirror, blurred, brighter] = Array.from({ length: 6 }, random)
  const gains = shape.mean.map(() => 1 + color * (2 * random() - 1))
  const noiseDeviation = noise * random()
  const scale = 1 - crop * (side ?? 0)
  const window = { scale, x: (1 - scale) * (left ?? 0), y: (1 - scale) * (top ?? 0) }
  const gain = 2 ** (exposure * (2 * (brighter ?? 0) - 1))
  const plane = shape.width * shape.height
  const result = new Float32Array(data.length)
  for (let channel = 0; channel * plane < data.length; channel += 1) {
    const [mean = 0, std = 1] = [shape.mean[channel], shape.std[channel]]
    const source = data.subarray(channel * plane, (channel + 1) * plane)
    const placed = resample(source, shape, window, flip && (mirror ?? 0) < 0.5)
    const soft = blurPlane(placed, shape, blur * (blurred ?? 0))
    const factor = gain * (gains[channel] ?? 1)
    const target = result.subarray(channel * plane, (channel + 1) * plane)
    for (const [at, value] of soft.entries()) {
      const light =
        (value * std + mean) * factor + (noiseDeviation > 0 ? noiseDeviation * normalFrom(random) : 0)
      target[at] = (Math.min(1, Math.max(0, light)) - mean) / std
    }
  }
  return result
}

/** A window of the plane, in shares of its sides, enlarged to the whole: bilinear, between centres of pixels. */
function resample(
  source: Float32Array,
  { width, height }: Shape,
  { scale, x, y }: { scale: number; x: number; y: number },
  mirrored: boolean,
): Float32Array {
  if (scale === 1 && !mirrored) return source
  const target = new Float32Array(source.length)
  const columns = Array.from({ length: width }, (_, at) => {
    const column = mirrored ? width - 1 - at : at
    return neighbours((column + 0.5) * scale + x * width - 0.5, width)
  })
  for (let row = 0; row < height; row += 1) {
    const { low, high, weight } = neighbours((row + 0.5) * scale + y * height - 0.5, height)
    for (const [column, place] of columns.entries()) {
      const across = (line: number) =>
        (source[line * width + place.low] ?? 0) * (1 - place.weight) +
        (source[line * width + place.high] ?? 0) * place.weight
      target[row * width + column] = across(low) * (1 - weight) + across(high) * weight
    }
  }
  return target
}

function neighbours(place: number, length: number): { low: number; high: number; weight: number } {
  const inside = Math.min(length - 1, Math.max(0, place))
  const low = Math.floor(inside)
  return { low, high: Math.min(length - 1, low + 1), weight: inside - low }
}

/** Gaussian, in rows and then in columns; the border's pixels go on beyond it. `deviation` in pixels. */
function blurPlane(source: Float32Array, { width, height }: Shape, deviation: number): Float32Array {
  const radius = Math.ceil(3 * deviation)
  // Narrower than this, the neighbours weigh less than a thousandth.
  if (deviation < 0.27) return source
  const kernel = Array.from({ length: 2 * radius + 1 }, (_, at) =>
    Math.exp(-((at - radius) ** 2) / (2 * deviation ** 2)),
  )
  const sum = kernel.reduce((all, weight) => all + weight, 0)
  const along = (from: Float32Array, length: number, step: number, lines: number, stride: number) => {
    const target = new Float32Array(from.length)
    for (let line = 0; line < lines; line += 1) {
      for (let at = 0; at < length; at += 1) {
        let value = 0
        for (const [tap, weight] of kernel.entries()) {
          const place = Math.min(length - 1, Math.max(0, at + tap - radius))
          value += weight * (from[line * stride + place * step] ?? 0)
        }
        target[line * stride + at * step] = value / sum
      }
    }
    return target
  }
  return along(along(source, width, 1, height, width), height, width, width, 1)
}
