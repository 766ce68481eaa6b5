/** One picture of a line of text, made from a seed: its words, its font, its frame and how the camera saw it. */
import { photograph } from './camera.ts'
import { goodConditions } from './conditions.ts'
import { type DriftName, driftedConditions, driftedFonts } from './drift.ts'
import { type FontKind, pickFont } from './fonts.ts'
import { type Frame, frameFor } from './frame.ts'
import { type Ink, inkOf, turned } from './ink.ts'
import { outlineOf } from './outline.ts'
import { type Random, randomFrom } from './random.ts'
import { lineOfText } from './texts.ts'
import type { TextKind } from './vocabulary.ts'

/** In the order of the classifier's outputs. */
export const labels = ['upright', 'upside-down'] as const
export type Label = (typeof labels)[number]

export interface LineOptions {
  /** The same seed gives the same picture. */
  seed: number
  label: Label
  /** Default `printed`. The drift `handwriting` has fonts of its own. */
  fonts?: FontKind
  /** Default `train`. */
  text?: TextKind
  /** Default: none. The words, the frame and the paper of a seed are the same under every drift but `handwriting`. */
  drift?: DriftName | undefined
  /** How far the drift has gone. Default 1, the drift as it was tuned; 0 is none. */
  severity?: number
}

export interface Picture {
  /** A JPEG. */
  image: Buffer
  label: Label
  text: string
}

export interface Sheet {
  text: string
  frame: Frame
  ink: Ink
}

export async function drawLine(options: LineOptions): Promise<Picture> {
  const { seed, label, drift, severity = 1 } = options
  const { text, frame, ink } = await drawSheet(options)
  const clean = goodConditions(randomFrom(seed, 'conditions'))
  const conditions = driftedConditions(clean, drift, severity, randomFrom(seed, 'drift'))
  const image = await photograph(ink, frame, conditions, randomFrom(seed, 'sensor'))
  return { image, label, text }
}

/** The paper before the camera: an upside-down sheet is the upright one of the same seed, turned. */
export async function drawSheet(options: LineOptions): Promise<Sheet> {
  const { outline, frame, text } = await compose(options, randomFrom(options.seed, 'line'))
  const upright = await inkOf(outline, frame.scale)
  return { text, frame, ink: options.label === 'upright' ? upright : turned(upright) }
}

/** Draws until a line fits a picture. */
async function compose({ fonts = 'printed', text: kind = 'train', drift }: LineOptions, random: Random) {
  for (;;) {
    const text = lineOfText(random, kind)
    const outline = outlineOf(await pickFont(random, driftedFonts(fonts, drift)), text)
    const frame = frameFor(outline, random)
    if (frame) return { text, outline, frame }
  }
}
