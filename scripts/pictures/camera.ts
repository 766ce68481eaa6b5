/** The camera: turns ink in a frame into the bytes that a phone would send, under given conditions. */
import sharp from 'sharp'
import { blurred } from './blur.ts'
import type { Colour, Conditions, Stripes } from './conditions.ts'
import { type Frame, placed } from './frame.ts'
import type { Ink } from './ink.ts'
import type { Random } from './random.ts'

/** A JPEG of the ink. */
export function photograph(ink: Ink, frame: Frame, conditions: Conditions, random: Random): Promise<Buffer> {
  const { width, height } = frame
  return sharp(exposed(ink, frame, conditions, random), { raw: { width, height, channels: 3 } })
    .jpeg({ quality: conditions.quality })
    .toBuffer()
}

/** What the sensor records. uint8 [height, width, 3] */
function exposed(ink: Ink, frame: Frame, conditions: Conditions, random: Random): Uint8ClampedArray {
  const { width, height } = frame
  const coverage = blurred(placed(ink, frame), width, height, conditions.blur * height)
  const light = lightOn(frame, conditions)
  const pixels = new Uint8ClampedArray(width * height * 3)
  for (let row = 0, at = 0; row < height; row++) {
    for (let column = 0; column < width; column++, at++) {
      const covered = coverage[at] ?? 0
      const brightness = light(column, row)
      const grain = random.normal() * conditions.noise
      for (const channel of channels) {
        const paper = conditions.paper[channel]
        const lit = (paper + (conditions.ink[channel] - paper) * covered) * brightness
        const seen = 128 + (lit - 128) * conditions.contrast
        pixels[at * 3 + channel] = seen + grain + (random.normal() * conditions.noise) / 2
      }
    }
  }
  return pixels
}

const channels = [0, 1, 2] as const satisfies (keyof Colour)[]

/** Part of full light at a pixel. */
function lightOn(frame: Frame, conditions: Conditions): (x: number, y: number) => number {
  const { falloff, falloffAngle, exposure, stripes } = conditions
  const alongX = (Math.cos(falloffAngle) * falloff) / frame.width
  const alongY = (Math.sin(falloffAngle) * falloff) / frame.height
  // The middle keeps the exposure, so that a falloff darkens one end and lights up the other.
  const even = (x: number, y: number) =>
    exposure * (1 + (x - frame.width / 2) * alongX + (y - frame.height / 2) * alongY)
  if (!stripes) return even
  const shade = shadeOf(stripes, frame.height)
  return (x, y) => even(x, y) * shade(x, y)
}

function shadeOf(stripes: Stripes, height: number): (x: number, y: number) => number {
  const alongX = Math.sin(stripes.angle) / (stripes.period * height)
  const alongY = Math.cos(stripes.angle) / (stripes.period * height)
  return (x, y) => {
    const periods = x * alongX + y * alongY + stripes.phase
    return periods - Math.floor(periods) < stripes.width ? stripes.light : 1
  }
}
