/** How a camera is built, mounted and lit: plain data, drawn for a camera that is as it should be. */
import type { Random } from '../random.ts'

/** Unit of all angles: radians. */
export interface CameraConditions {
  fieldOfView: number
  pitch: number
  roll: number
  /** Stops by which the exposure is off. */
  exposure: number
  /** Factors of red, green, blue. */
  whiteBalance: readonly [number, number, number]
  /** Deviation of the lens's blur, in picture widths. */
  blur: number
  /** Part of the light that is lost in the corners. */
  vignetting: number
  /** Deviation of the noise in a pixel of full light, as a part of it; it grows with the root of the light ... */
  shotNoise: number
  /** ... and this is there in the dark too. */
  readNoise: number
  dirt: Dirt | undefined
  /** Of the JPEG, 1 to 100. */
  quality: number
}

/** Grease and drops on the glass: in some places light is scattered far, and some of it is lost. */
export interface Dirt {
  spots: readonly { x: number; y: number; radius: number; density: number }[]
  /** Deviation of the scattered light, in picture widths. */
  scatter: number
  /** Light of the whole scene that spreads over a spot, as a part of what it scatters. */
  haze: number
}

const degrees = Math.PI / 180

export function goodCamera(random: Random): CameraConditions {
  const warmth = random.between(-0.06, 0.06)
  return {
    fieldOfView: random.between(40, 47) * degrees,
    pitch: random.between(-8, 12) * degrees,
    roll: random.between(-3, 3) * degrees,
    exposure: random.between(-0.4, 0.4),
    whiteBalance: [1 + warmth, 1, 1 - warmth],
    blur: random.between(0.001, 0.003),
    vignetting: random.between(0.05, 0.25),
    shotNoise: random.between(0.005, 0.015),
    readNoise: random.between(0.001, 0.003),
    dirt: undefined,
    quality: random.integer(78, 92),
  }
}
