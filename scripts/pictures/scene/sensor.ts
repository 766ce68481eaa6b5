/** From light on the sensor to the bytes that a camera sends: dirt, blur, exposure, noise, tone, JPEG. */
import sharp from 'sharp'
import { blurred } from '../blur.ts'
import type { Random } from '../random.ts'
import type { CameraConditions, Dirt } from './conditions.ts'

interface Frame {
  width: number
  height: number
}

/** A JPEG of linear light, float32 [height, width, 3]. */
export async function develop(
  light: Float32Array,
  { width, height }: Frame,
  camera: CameraConditions,
  random: Random,
): Promise<Buffer> {
  const planes = [0, 1, 2].map(channel => plane(light, channel))
  const frame = { width, height }
  const exposure = exposureOf(planes[1] ?? new Float32Array()) * 2 ** camera.exposure
  const edge = camera.vignetting / (0.25 * (1 + (height / width) ** 2))
  const pixels = new Uint8ClampedArray(width * height * 3)
  for (const [channel, clear] of planes.entries()) {
    const soiled = camera.dirt ? behindDirt(clear, frame, camera.dirt) : clear
    const soft = blurred(soiled, width, height, camera.blur * width)
    const gain = exposure * (camera.whiteBalance[channel] ?? 1)
    for (let at = 0; at < soft.length; at += 1) {
      const x = (at % width) / width - 0.5
      const y = (Math.floor(at / width) / height - 0.5) * (height / width)
      const exposed = (soft[at] ?? 0) * gain * (1 - edge * (x * x + y * y))
      const deviation = Math.sqrt(camera.shotNoise ** 2 * exposed + camera.readNoise ** 2)
      pixels[at * 3 + channel] = 255 * tone(exposed + deviation * random.normal())
    }
  }
  return sharp(pixels, { raw: { ...frame, channels: 3 } })
    .jpeg({ quality: camera.quality })
    .toBuffer()
}

/** A lamp or the sun would outshine all else in what dirt scatters. In units of the panorama's light. */
const brightest = 50

function plane(light: Float32Array, channel: number): Float32Array {
  const values = new Float32Array(light.length / 3)
  for (let at = 0; at < values.length; at += 1) values[at] = Math.min(brightest, light[at * 3 + channel] ?? 0)
  return values
}

/**
 * As automatic exposure does: the geometric mean of the light becomes middle grey, 18 %, but a dark place stays a little
 * darker than a bright one.
 */
function exposureOf(green: Float32Array): number {
  const sum = green.reduce((total, value) => total + Math.log(value + 1e-4), 0)
  const mean = Math.exp(sum / green.length)
  return (0.18 / mean) * (mean / 0.18) ** 0.15
}

/** Full light is rolled off (Reinhard, extended to a white of 4) and encoded as sRGB displays expect, by a power. */
function tone(light: number): number {
  const inside = Math.max(0, light)
  return Math.min(1, (inside * (1 + inside / 16)) / (1 + inside)) ** (1 / 2.2)
}

/** Dirt in front of one plane of light, float32 [height, width]. */
function behindDirt(
  clear: Float32Array,
  { width, height }: Frame,
  { spots, scatter, haze }: Dirt,
): Float32Array {
  const coarse = { width: Math.ceil(width / coarseness), height: Math.ceil(height / coarseness) }
  const averages = reduced(clear, { width, height }, coarse)
  const scattered = blurred(averages, coarse.width, coarse.height, scatter * coarse.width)
  const mean = clear.reduce((total, value) => total + value, 0) / clear.length
  return clear.map((value, at) => {
    const [column, row] = [at % width, Math.floor(at / width)]
    const [x, y] = [column / width - 0.5, (row - height / 2) / width]
    let through = 1
    for (const spot of spots) {
      const distance = ((x - spot.x) ** 2 + (y - spot.y) ** 2) / spot.radius ** 2
      if (distance < 3) through *= 1 - spot.density * Math.exp(-(distance ** 2))
    }
    const near = Math.floor(row / coarseness) * coarse.width + Math.floor(column / coarseness)
    const smeared = (scattered[near] ?? 0) * (1 - haze) + mean * haze
    return value * through + smeared * (1 - through)
  })
}

/** Scattered light changes so slowly that a value for so many pixels a side is enough, and the blur costs little. */
const coarseness = 4

/** Means of squares of pixels. */
function reduced(fine: Float32Array, { width, height }: Frame, coarse: Frame): Float32Array {
  const sums = new Float32Array(coarse.width * coarse.height)
  const counts = new Float32Array(sums.length)
  for (let row = 0; row < height; row += 1) {
    for (let column = 0; column < width; column += 1) {
      const at = Math.floor(row / coarseness) * coarse.width + Math.floor(column / coarseness)
      sums[at] = (sums[at] ?? 0) + (fine[row * width + column] ?? 0)
      counts[at] = (counts[at] ?? 0) + 1
    }
  }
  return sums.map((sum, at) => sum / (counts[at] ?? 1))
}
