/** The photo as pixels, and parts of it as the tensors that the two networks take. */
import sharp from 'sharp'
import { detectorSide, type Face } from './find-faces.ts'

export interface Picture {
  width: number
  height: number
  /** Red, green, blue. uint8 [height, width, 3] */
  pixels: Uint8Array
}

export interface Feed {
  data: Float32Array
  dims: number[]
}

const mostPixels = 50_000_000
const embedderSide = 224
/** Side of the square that the embedder sees, in heights of the detector's box. */
const margin = 1.4

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
    return { width: info.width, height: info.height, pixels: data }
  } catch {
    return undefined
  }
}

/** Side of the square around the picture that the detector sees. Unit: pixels of the picture. */
export const squareSide = ({ width, height }: Picture): number => Math.max(width, height)

/** The whole picture from the top left of a square, from -1 to 1. float32 [1, 3, 256, 256] */
export async function detectorFeed(picture: Picture): Promise<Feed> {
  const { width, height, pixels } = picture
  const scale = detectorSide / squareSide(picture)
  const [wide, high] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))]
  const small = await sharp(pixels, { raw: { width, height, channels: 3 } })
    .resize(wide, high, { fit: 'fill' })
    .raw()
    .toBuffer()
  const plane = detectorSide * detectorSide
  const data = new Float32Array(3 * plane)
  for (let row = 0, from = 0; row < high; row += 1) {
    for (let column = 0; column < wide; column += 1) {
      for (let channel = 0; channel < 3; channel += 1, from += 1) {
        data[channel * plane + row * detectorSide + column] = (small[from] ?? 0) / 127.5 - 1
      }
    }
  }
  return { data, dims: [1, 3, detectorSide, detectorSide] }
}

/** A face, turned until its eyes are level, from 0 to 255. float32 [1, 3, 224, 224] */
export function faceFeed(picture: Picture, face: Face): Feed {
  const { width, height, pixels } = picture
  const square = squareSide(picture)
  const [[leftX, leftY], [rightX, rightY]] = face.eyes
  const angle = Math.atan2(rightY - leftY, rightX - leftX)
  const step = (Math.max(face.width, face.height) * square * margin) / embedderSide
  const [along, down] = [Math.cos(angle) * step, Math.sin(angle) * step]
  const plane = embedderSide * embedderSide
  const data = new Float32Array(3 * plane)
  for (let row = 0, to = 0; row < embedderSide; row += 1) {
    for (let column = 0; column < embedderSide; column += 1, to += 1) {
      const [dx, dy] = [column + 0.5 - embedderSide / 2, row + 0.5 - embedderSide / 2]
      // The border's pixels go on beyond it.
      const x = Math.min(width - 1, Math.max(0, face.x * square + dx * along - dy * down - 0.5))
      const y = Math.min(height - 1, Math.max(0, face.y * square + dx * down + dy * along - 0.5))
      const [left, top] = [Math.floor(x), Math.floor(y)]
      const [right, bottom] = [Math.min(left + 1, width - 1), Math.min(top + 1, height - 1)]
      const [across, deep] = [x - left, y - top]
      for (let channel = 0; channel < 3; channel += 1) {
        const at = (row: number, column: number) => pixels[(row * width + column) * 3 + channel] ?? 0
        const above = at(top, left) * (1 - across) + at(top, right) * across
        const below = at(bottom, left) * (1 - across) + at(bottom, right) * across
        data[channel * plane + to] = above * (1 - deep) + below * deep
      }
    }
  }
  return { data, dims: [1, 3, embedderSide, embedderSide] }
}
