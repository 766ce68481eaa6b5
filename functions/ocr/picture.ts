/** The photo as pixels, and parts of it as the tensors that the networks take. */
import sharp from 'sharp'
import type { Rectangle } from './rectangle.ts'

export interface Picture {
  width: number
  height: number
  /** Blue, green, red, as OpenCV orders them and as the networks were trained. uint8 [height, width, 3] */
  pixels: Uint8Array
}

export interface Feed {
  data: Float32Array
  dims: number[]
}

const mostPixels = 50_000_000
/** Of the longer side in the detector: its authors' limit. */
const detectorSide = 960
/** ImageNet's, which the detector's authors apply in the order of OpenCV. */
const detectorMean = [0.485, 0.456, 0.406]
const detectorDeviation = [0.229, 0.224, 0.225]

/** Upright by its EXIF orientation. Undefined for what is no whole picture of at most 50 million pixels. */
export async function decodePicture(body: Uint8Array): Promise<Picture | undefined> {
  try {
    const { data, info } = await sharp(body, {
      failOn: 'error',
      limitInputPixels: mostPixels,
      autoOrient: true,
    })
      .flatten({ background: '#fff' })
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true })
    for (let at = 0; at < data.length; at += 3) {
      const red = data[at] ?? 0
      data[at] = data[at + 2] ?? 0
      data[at + 2] = red
    }
    return { width: info.width, height: info.height, pixels: data }
  } catch {
    return undefined
  }
}

/** The whole picture, its sides multiples of 32. float32 [1, 3, height, width] */
export async function detectorFeed({ width, height, pixels }: Picture): Promise<Feed> {
  const scale = Math.min(1, detectorSide / Math.max(width, height))
  const [wide, high] = [width, height].map(size => Math.max(32, Math.round((size * scale) / 32) * 32)) as [
    number,
    number,
  ]
  const raw = { width, height, channels: 3 } as const
  const small = await sharp(pixels, { raw }).resize(wide, high, { fit: 'fill' }).raw().toBuffer()
  const data = new Float32Array(3 * wide * high)
  const plane = wide * high
  for (let channel = 0; channel < 3; channel += 1) {
    const [mean = 0, deviation = 1] = [detectorMean[channel], detectorDeviation[channel]]
    for (let at = 0; at < plane; at += 1) {
      data[channel * plane + at] = ((small[at * 3 + channel] ?? 0) / 255 - mean) / deviation
    }
  }
  return { data, dims: [1, 3, high, wide] }
}

/**
 * What lies in a rectangle, straightened, from -1 to 1; columns beyond the line are 0. `turned` is upside down.
 * float32 [1, 3, height, width]
 */
export function lineFeed(
  { width, height, pixels }: Picture,
  line: Rectangle,
  frame: { height: number; width: number; used: number },
  turned = false,
): Feed {
  const data = new Float32Array(3 * frame.height * frame.width)
  const plane = frame.height * frame.width
  const [cos, sin] = [Math.cos(line.angle), Math.sin(line.angle)]
  for (let row = 0; row < frame.height; row += 1) {
    for (let column = 0; column < frame.used; column += 1) {
      const sign = turned ? -1 : 1
      const along = sign * ((column + 0.5) / frame.used - 0.5) * line.width
      const down = sign * ((row + 0.5) / frame.height - 0.5) * line.height
      const x = Math.min(Math.max(line.x + along * cos - down * sin - 0.5, 0), width - 1)
      const y = Math.min(Math.max(line.y + along * sin + down * cos - 0.5, 0), height - 1)
      const [left, top] = [Math.floor(x), Math.floor(y)]
      const [right, bottom] = [Math.min(left + 1, width - 1), Math.min(top + 1, height - 1)]
      const [across, deep] = [x - left, y - top]
      for (let channel = 0; channel < 3; channel += 1) {
        const at = (row: number, column: number) => pixels[(row * width + column) * 3 + channel] ?? 0
        const above = at(top, left) * (1 - across) + at(top, right) * across
        const below = at(bottom, left) * (1 - across) + at(bottom, right) * across
        data[channel * plane + row * frame.width + column] = (above * (1 - deep) + below * deep) / 127.5 - 1
      }
    }
  }
  return { data, dims: [1, 3, frame.height, frame.width] }
}
