/** A photo through the three networks, one after the other. */
import type { ModelHandle } from 'corun'
import { decodeText } from './decode-text.ts'
import { findLines } from './find-lines.ts'
import { detectorFeed, type Feed, lineFeed, type Picture } from './picture.ts'
import { cornersOf, type Rectangle } from './rectangle.ts'

export interface Line {
  text: string
  /** Mean probability of its characters, 0 to 1. */
  score: number
  upsideDown: boolean
  box: [number, number][]
}

type Models = Record<'detection' | 'orientation' | 'recognition', ModelHandle>

/** Rows of both networks that read lines. */
const lineHeight = 48
const orientationWidth = 192
/** The recognizer was trained on lines of 320 columns and more: shorter ones are filled up. */
const leastWidth = 320
const mostWidth = 3200
/** Below it, a line that seems upside down is read as it lies: PP-OCR's bound. */
const leastCertainty = 0.9
/** What is read with less is no text. */
const leastScore = 0.5

export async function readPicture(picture: Picture, models: Models, signal: AbortSignal): Promise<Line[]> {
  const lines: Line[] = []
  for (const rectangle of await detect(picture, models.detection)) {
    signal.throwIfAborted()
    const turned = await isUpsideDown(picture, rectangle, models.orientation)
    const used = Math.min(
      mostWidth,
      Math.max(8, Math.round((rectangle.width / rectangle.height) * lineHeight)),
    )
    const frame = { height: lineHeight, width: Math.max(leastWidth, used), used }
    const scores = await runOne(models.recognition, lineFeed(picture, rectangle, frame, turned))
    const { text, score } = decodeText(scores.data, models.recognition.labels)
    if (text.trim() === '' || score < leastScore) continue
    const box = cornersOf(rectangle).map(([x, y]): [number, number] => [rounded(x), rounded(y)])
    lines.push({ text: text.trim(), score, upsideDown: turned, box })
  }
  return lines
}

async function detect(picture: Picture, detection: ModelHandle): Promise<Rectangle[]> {
  const feed = await detectorFeed(picture)
  const { data, dims } = await runOne(detection, feed)
  const [height = 1, width = 1] = dims.slice(-2)
  // Both scales are alike but for what it takes to get to a multiple of 32.
  const [x, y] = [picture.width / width, picture.height / height]
  return findLines(data, width, height).map(line => ({
    x: line.x * x,
    y: line.y * y,
    width: line.width * Math.hypot(Math.cos(line.angle) * x, Math.sin(line.angle) * y),
    height: line.height * Math.hypot(Math.sin(line.angle) * x, Math.cos(line.angle) * y),
    angle: Math.atan2(Math.sin(line.angle) * y, Math.cos(line.angle) * x),
  }))
}

async function isUpsideDown(picture: Picture, line: Rectangle, orientation: ModelHandle): Promise<boolean> {
  const used = Math.min(orientationWidth, Math.max(8, Math.round((line.width / line.height) * lineHeight)))
  const frame = { height: lineHeight, width: orientationWidth, used }
  const { data } = await runOne(orientation, lineFeed(picture, line, frame))
  return (data[1] ?? 0) > leastCertainty
}

/** The only output of a network with one input. */
async function runOne(
  model: ModelHandle,
  feed: Feed,
): Promise<{ data: Float32Array; dims: readonly number[] }> {
  const [input = ''] = model.inputNames
  const [output = ''] = model.outputNames
  const result = (await model.run({ [input]: feed }))[output]
  if (!(result?.data instanceof Float32Array)) throw new TypeError(`${output} is no float32 tensor`)
  return { data: result.data, dims: result.dims }
}

const rounded = (value: number) => Math.round(value * 10) / 10
