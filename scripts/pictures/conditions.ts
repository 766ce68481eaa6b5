/** What a camera meets when it takes a picture: paper, ink, light, and the camera's own weaknesses. Plain data. */
import type { Random } from './random.ts'

/** Red, green, blue; 0 to 255. */
export type Colour = readonly [number, number, number]

export interface Stripes {
  /** Distance from one stripe to the next, in picture heights. */
  period: number
  /** Part of the period that is dark, 0 to 1. */
  width: number
  /** Of the stripes against the horizontal. Unit: radians. */
  angle: number
  /** Where the first begins, in periods. */
  phase: number
  /** Part of the light that is left in a stripe. */
  light: number
}

export interface Conditions {
  paper: Colour
  ink: Colour
  /** Light falls off from one edge to the opposite one by this part ... */
  falloff: number
  /** ... in this direction. Unit: radians. */
  falloffAngle: number
  /** Multiplies the light: 1 is a good exposure. */
  exposure: number
  /** Multiplies every distance from middle grey: 1 leaves it. */
  contrast: number
  /** Deviation of the lens's blur, in picture heights. */
  blur: number
  /** Deviation of the sensor's noise in brightness, in steps of 255. Colour gets half of it. */
  noise: number
  stripes?: Stripes
  /** Of the JPEG, 1 to 100. */
  quality: number
}

const papers: readonly [Colour, ...Colour[]] = [
  [246, 245, 242],
  [238, 236, 230],
  [244, 238, 222],
  [225, 226, 228],
  [226, 236, 244],
  [248, 236, 176],
  [208, 182, 146],
]

const inks: readonly [Colour, ...Colour[]] = [
  [24, 24, 26],
  [44, 44, 48],
  [70, 68, 66],
  [28, 40, 104],
  [112, 30, 34],
  [22, 72, 50],
]

export function goodConditions(random: Random): Conditions {
  const warmth = random.between(-8, 8)
  const tinted = ([red, green, blue]: Colour): Colour => [red + warmth, green, blue - warmth]
  return {
    paper: tinted(random.pick(papers)),
    ink: tinted(random.pick(inks)),
    falloff: random.between(0, 0.3),
    falloffAngle: random.between(0, 2 * Math.PI),
    exposure: random.between(0.8, 1.02),
    contrast: 1,
    blur: random.between(0.005, 0.016),
    noise: random.between(1, 4),
    quality: random.integer(70, 92),
  }
}
