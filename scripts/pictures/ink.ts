/** Ink on paper, seen from straight above and before any camera: how much of each pixel the letters cover. */
import sharp from 'sharp'
import type { Outline } from './outline.ts'

export interface Ink {
  width: number
  height: number
  /** Row by row: 0 is bare paper, 255 is covered. uint8 [height, width] */
  coverage: Uint8Array
}

/** `scale`: pixels for a unit of the outline. */
export async function inkOf(outline: Outline, scale: number): Promise<Ink> {
  const width = Math.ceil(outline.width * scale)
  const height = Math.ceil(outline.height * scale)
  const box = `${outline.left} ${outline.top} ${outline.width} ${outline.height}`
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="${box}" ` +
    `preserveAspectRatio="none">` +
    `<rect x="${outline.left}" y="${outline.top}" width="100%" height="100%"/><path fill="#fff" d="${outline.path}"/></svg>`
  const { data } = await sharp(Buffer.from(svg)).extractChannel(0).raw().toBuffer({ resolveWithObject: true })
  return { width, height, coverage: data }
}

/** The sheet turned upside down. */
export function turned(ink: Ink): Ink {
  return { ...ink, coverage: ink.coverage.toReversed() }
}
