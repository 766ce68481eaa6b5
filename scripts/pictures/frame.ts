/** Where a line of text lies in the picture: its size, margins and slight slant, as a text detector crops it. */
import type { Ink } from './ink.ts'
import type { Outline } from './outline.ts'
import type { Random } from './random.ts'

export interface Frame {
  /** Of the picture. Unit: pixels. */
  width: number
  height: number
  /** Radians, clockwise. */
  angle: number
  /** Pixels for a unit of the outline. */
  scale: number
  /** Where the middle of the line lies. Unit: pixels. */
  centreX: number
  centreY: number
}

export const heights = { least: 40, most: 80 } as const
export const aspects = { least: 2, most: 7 } as const
const steepest = (3 * Math.PI) / 180

/** Nothing if the line is too short or too long for a picture of one line. */
export function frameFor(outline: Outline, random: Random): Frame | undefined {
  // Small pictures are the rule: a line is a small part of a camera's frame.
  const height = Math.round(heights.least + (heights.most - heights.least) * random.between(0, 1) ** 2)
  const above = height * random.between(0.06, 0.18)
  const below = height * random.between(0.06, 0.18)
  const before = height * random.between(0.08, 0.4)
  const after = height * random.between(0.08, 0.4)
  const angle = random.between(-steepest, steepest)
  const rise = Math.sin(Math.abs(angle))
  const scale = (height - above - below) / (outline.height + outline.width * rise)
  const inkWidth = (outline.width + outline.height * rise) * scale
  const width = Math.round(inkWidth + before + after)
  const aspect = width / height
  if (aspect < aspects.least || aspect > aspects.most) return undefined
  return {
    width,
    height,
    angle,
    scale,
    centreX: before + inkWidth / 2,
    centreY: above + (height - above - below) / 2,
  }
}

/** How much of every pixel of the picture is ink, 0 to 1. float32 [height, width] */
export function placed(ink: Ink, frame: Frame): Float32Array {
  const plane = new Float32Array(frame.width * frame.height)
  const sine = Math.sin(frame.angle)
  const cosine = Math.cos(frame.angle)
  for (let row = 0, at = 0; row < frame.height; row++) {
    const y = row + 0.5 - frame.centreY
    for (let column = 0; column < frame.width; column++, at++) {
      const x = column + 0.5 - frame.centreX
      const inkX = x * cosine + y * sine + ink.width / 2 - 0.5
      const inkY = y * cosine - x * sine + ink.height / 2 - 0.5
      plane[at] = coverageAt(ink, inkX, inkY) / 255
    }
  }
  return plane
}

/** Bilinear between the four pixels around; paper is bare outside of the ink. */
function coverageAt(ink: Ink, x: number, y: number): number {
  const left = Math.floor(x)
  const top = Math.floor(y)
  if (left < -1 || top < -1 || left >= ink.width || top >= ink.height) return 0
  const alongX = x - left
  const alongY = y - top
  const upper = pixel(ink, left, top) * (1 - alongX) + pixel(ink, left + 1, top) * alongX
  const lower = pixel(ink, left, top + 1) * (1 - alongX) + pixel(ink, left + 1, top + 1) * alongX
  return upper * (1 - alongY) + lower * alongY
}

function pixel(ink: Ink, x: number, y: number): number {
  if (x < 0 || y < 0 || x >= ink.width || y >= ink.height) return 0
  return ink.coverage[y * ink.width + x] ?? 0
}
