// The part of opentype.js 2.0 that is used here; the package ships no types.
declare module 'opentype.js' {
  export interface BoundingBox {
    x1: number
    y1: number
    x2: number
    y2: number
  }
  /** A command has the coordinates that SVG's command of the same letter takes, and no others. */
  export interface Command {
    type: 'M' | 'L' | 'Q' | 'C' | 'Z'
    x1?: number
    y1?: number
    x2?: number
    y2?: number
    x?: number
    y?: number
  }
  export interface Path {
    commands: Command[]
    extend(other: Path): void
    getBoundingBox(): BoundingBox
  }
  export interface Glyph {
    index: number
    /** Unit: font units. */
    advanceWidth?: number
    getPath(x: number, y: number, fontSize: number): Path
  }
  export interface Font {
    unitsPerEm: number
    charToGlyph(character: string): Glyph
    getKerningValue(left: Glyph, right: Glyph): number
  }
  const opentype: { parse(font: ArrayBuffer): Font; Path: new () => Path }
  export default opentype
}
