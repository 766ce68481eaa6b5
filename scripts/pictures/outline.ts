/** The outlines of a line of text in a font, as SVG path data: what is drawn, before any pixel. */
import opentype, { type Command, type Font, type Glyph } from 'opentype.js'

/** Lengths are in thousandths of an em; y points down. The box holds all of `path`. */
export interface Outline {
  path: string
  left: number
  top: number
  width: number
  height: number
}

const em = 1000
// A line box keeps at least this much above and below the baseline, so that a word such as "sea", without a
// stem that sticks out, is not drawn twice as large as its neighbours.
const leastAscent = 0.6 * em
const leastDescent = 0.12 * em

/**
 * Letters are placed one by one: opentype.js refuses the substitution tables of several fonts when it lays
 * out text itself, and Latin needs none of them.
 */
export function outlineOf(font: Font, text: string): Outline {
  const scale = em / font.unitsPerEm
  const line = new opentype.Path()
  let x = 0
  let previous: Glyph | undefined
  for (const character of text) {
    const glyph = font.charToGlyph(character)
    if (previous) x += font.getKerningValue(previous, glyph) * scale
    line.extend(glyph.getPath(x, 0, em))
    x += (glyph.advanceWidth ?? font.unitsPerEm / 2) * scale
    previous = glyph
  }
  const box = line.getBoundingBox()
  const top = Math.min(box.y1, -leastAscent)
  const bottom = Math.max(box.y2, leastDescent)
  return {
    path: line.commands.map(pathData).join(''),
    left: box.x1,
    top,
    width: box.x2 - box.x1,
    height: bottom - top,
  }
}

/** opentype.js writes path data too, but glues a number that rounds to -0 to the one before it. */
function pathData({ type, x1, y1, x2, y2, x, y }: Command): string {
  const values = [x1, y1, x2, y2, x, y].filter(value => value !== undefined)
  return type + values.map(Math.round).join(' ')
}
