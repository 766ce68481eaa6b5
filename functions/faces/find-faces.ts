/** From what BlazeFace says of its anchors to faces: boxes, eyes, no face twice. Pure. */

export interface Face {
  /** Centre and sides of the box around brows, cheeks and chin. Unit: sides of the detector's square, 0 to 1. */
  x: number
  y: number
  width: number
  height: number
  /** Where the eyes are, the one on the picture's left first. */
  eyes: [left: Point, right: Point]
  /** Probability, 0 to 1. */
  score: number
}
export type Point = readonly [x: number, y: number]

/** The detector's two grids over its square. */
const grids = [
  { cells: 16, anchors: 2 },
  { cells: 8, anchors: 6 },
] as const
/** Numbers of an anchor: centre, sides, and six points, the first two of which are the eyes. Unit: pixels of the square. */
const numbers = 16
/** Side of the square that the detector takes. Unit: pixels. */
export const detectorSide = 256
const leastScore = 0.5
/** Share of their union above which two boxes are one face. */
const mostOverlap = 0.3

/** `scores` and `boxes` of each grid: raw scores, float32 [cells * cells * anchors], and float32 [..., 16]. */
export function findFaces(found: readonly { scores: Float32Array; boxes: Float32Array }[]): Face[] {
  const faces = found.flatMap(({ scores, boxes }, level) => {
    const { cells, anchors } = grids[level] ?? grids[0]
    return Array.from(scores, sigmoid).flatMap((score, anchor) => {
      if (score < leastScore) return []
      const cell = Math.floor(anchor / anchors)
      const centre: Point = [((cell % cells) + 0.5) / cells, (Math.floor(cell / cells) + 0.5) / cells]
      const at = (place: number) => (boxes[anchor * numbers + place] ?? 0) / detectorSide
      const point = (place: number): Point => [centre[0] + at(place), centre[1] + at(place + 1)]
      const [x, y] = point(0)
      return [{ x, y, width: at(2), height: at(3), eyes: inOrder(point(4), point(6)), score }]
    })
  })
  const kept: Face[] = []
  for (const face of faces.sort((a, b) => b.score - a.score)) {
    if (kept.every(other => overlap(face, other) <= mostOverlap)) kept.push(face)
  }
  return kept
}

const sigmoid = (value: number) => 1 / (1 + Math.exp(-value))
const inOrder = (a: Point, b: Point): Face['eyes'] => (a[0] <= b[0] ? [a, b] : [b, a])

/** Intersection over union. */
function overlap(a: Face, b: Face): number {
  const along = (at: number, size: number, other: number, otherSize: number) =>
    Math.max(
      0,
      Math.min(at + size / 2, other + otherSize / 2) - Math.max(at - size / 2, other - otherSize / 2),
    )
  const shared = along(a.x, a.width, b.x, b.width) * along(a.y, a.height, b.y, b.height)
  return shared / (a.width * a.height + b.width * b.height - shared)
}
