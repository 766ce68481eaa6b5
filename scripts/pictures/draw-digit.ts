/** Small grey pictures of one digit each, made from a seed: for tests that train a network from nothing. */
import { type FontKind, pickFont } from './fonts.ts'
import { type Frame, placed } from './frame.ts'
import { inkOf } from './ink.ts'
import { type Outline, outlineOf } from './outline.ts'
import { type Random, randomFrom, seedOf } from './random.ts'

/** Height and width. Unit: pixels. */
export const digitSize = 20

export interface Digit {
  /** From 0 (paper) to about 1 (ink), with the sensor's noise. float32 [1, digitSize, digitSize] */
  data: Float32Array
  label: number
}

export interface DigitsOptions {
  count: number
  /** The same seed gives the same pictures; sets of other seeds share none, but for chance. */
  seed: number
  /** Every kind is as likely. */
  fonts: readonly [FontKind, ...FontKind[]]
}

/** Labels go round from 0 to 9. */
export async function drawDigits({ count, seed, fonts }: DigitsOptions): Promise<Digit[]> {
  const digits: Digit[] = []
  for (let index = 0; index < count; index++) {
    digits.push(await drawDigit(index % 10, seedOf(seed, index), fonts))
  }
  return digits
}

async function drawDigit(label: number, seed: number, fonts: DigitsOptions['fonts']): Promise<Digit> {
  const random = randomFrom(seed, 'digit')
  const outline = outlineOf(await pickFont(random, random.pick(fonts)), String(label))
  const frame = frameOf(outline, random)
  const ink = await inkOf(outline, frame.scale)
  const contrast = random.between(0.6, 1)
  const noise = random.between(0, 0.1)
  const data = placed(ink, frame).map(covered => covered * contrast + random.normal() * noise)
  return { data, label }
}

const steepest = (12 * Math.PI) / 180
const farthest = 2 // pixels from the middle

function frameOf(outline: Outline, random: Random): Frame {
  const middle = digitSize / 2
  return {
    width: digitSize,
    height: digitSize,
    angle: random.between(-steepest, steepest),
    scale: (digitSize * random.between(0.7, 0.95)) / Math.max(outline.height, outline.width),
    centreX: middle + random.between(-farthest, farthest),
    centreY: middle + random.between(-farthest, farthest),
  }
}
