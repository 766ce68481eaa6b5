/** A photo of a page with several lines of text, from a seed: what it says and where. */
import sharp from 'sharp'
import { pickFont } from './fonts.ts'
import { outlineOf } from './outline.ts'
import { randomFrom } from './random.ts'
import { lineOfText } from './texts.ts'

export interface Page {
  /** A JPEG. */
  image: Buffer
  width: number
  height: number
  /** From the top to the bottom; the middle of each in pixels. */
  lines: { text: string; x: number; y: number }[]
}

export interface PageOptions {
  seed: number
  lines: number
  /** Of the sheet against the picture, clockwise. Degrees. */
  angle?: number
}

const width = 900
const lineHeight = 78

/** Printed lines that were never used to train text-orientation, one below the other, on paper of a light colour. */
export async function drawPage({ seed, lines: count, angle = 0 }: PageOptions): Promise<Page> {
  const random = randomFrom(seed, 'page')
  const height = (count + 2) * lineHeight
  const lines: Page['lines'] = []
  const paths: string[] = []
  const middle = { x: width / 2, y: height / 2 }
  const radians = (angle * Math.PI) / 180
  for (let row = 0; row < count; row += 1) {
    const text = lineOfText(random, 'held-out')
    const outline = outlineOf(await pickFont(random, 'held-out'), text)
    const scale = Math.min(random.between(0.032, 0.042), (width - 160) / outline.width)
    const left = random.between(60, width - 80 - outline.width * scale)
    const baseline = (row + 1.5) * lineHeight
    paths.push(
      `<path transform="translate(${left - outline.left * scale} ${baseline}) scale(${scale})" d="${outline.path}"/>`,
    )
    const [x, y] = [
      left + (outline.width * scale) / 2 - middle.x,
      baseline + (outline.top + outline.height / 2) * scale - middle.y,
    ]
    lines.push({
      text,
      x: middle.x + x * Math.cos(radians) - y * Math.sin(radians),
      y: middle.y + x * Math.sin(radians) + y * Math.cos(radians),
    })
  }
  const paper = [random.integer(225, 250), random.integer(225, 248), random.integer(215, 245)]
  const ink = random.integer(15, 70)
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">` +
    `<rect width="100%" height="100%" fill="rgb(${paper.join()})"/>` +
    `<g fill="rgb(${ink},${ink},${ink})" transform="rotate(${angle} ${middle.x} ${middle.y})">${paths.join('')}</g></svg>`
  const image = await sharp(Buffer.from(svg))
    .blur(random.between(0.4, 0.8))
    .flatten()
    .jpeg({ quality: random.integer(75, 92) })
    .toBuffer()
  return { image, width, height, lines }
}
