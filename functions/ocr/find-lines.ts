/**
 * From the detector's map to lines of text. The detector gives the probability of text with each line shrunk, so that
 * neighbours do not touch; lines are the connected parts of the map, grown again (Liao et al., 2020, "Real-time scene
 * text detection with differentiable binarization", 3.4). Bounds are those of PP-OCR.
 */
import { type Point, type Rectangle, smallestRectangle } from './rectangle.ts'

const leastProbability = 0.3
/** Of the mean over a line. */
const leastScore = 0.6
/** A line grows by area * ratio / perimeter at each side. */
const growth = 1.5
/** Pixels of the map. */
const leastSide = 3

/** Lines in pixels of the map, from the top to the bottom and from left to right. `map`: float32 [height, width] */
export function findLines(map: Float32Array, width: number, height: number): Rectangle[] {
  const seen = new Uint8Array(map.length)
  const lines: Rectangle[] = []
  for (let at = 0; at < map.length; at += 1) {
    if (seen[at] === 1 || (map[at] ?? 0) <= leastProbability) continue
    const part = connectedPart(map, seen, width, height, at)
    const score = part.reduce((sum, place) => sum + (map[place] ?? 0), 0) / part.length
    if (score < leastScore) continue
    const shrunk = smallestRectangle(edgePoints(part, width))
    if (Math.min(shrunk.width, shrunk.height) < leastSide) continue
    const by = (shrunk.width * shrunk.height * growth) / (2 * (shrunk.width + shrunk.height))
    lines.push({ ...shrunk, width: shrunk.width + 2 * by, height: shrunk.height + 2 * by })
  }
  return inReadingOrder(lines)
}

/** Places of the part around `start`, with neighbours across corners. */
function connectedPart(
  map: Float32Array,
  seen: Uint8Array,
  width: number,
  height: number,
  start: number,
): number[] {
  const part = [start]
  seen[start] = 1
  for (let next = 0; next < part.length; next += 1) {
    const place = part[next] ?? 0
    const [column, row] = [place % width, Math.floor(place / width)]
    for (let y = Math.max(0, row - 1); y <= Math.min(height - 1, row + 1); y += 1) {
      for (let x = Math.max(0, column - 1); x <= Math.min(width - 1, column + 1); x += 1) {
        const neighbour = y * width + x
        if (seen[neighbour] === 1 || (map[neighbour] ?? 0) <= leastProbability) continue
        seen[neighbour] = 1
        part.push(neighbour)
      }
    }
  }
  return part
}

/** The corners of the first and last pixel of each row: the rest is inside of them. */
function edgePoints(part: readonly number[], width: number): Point[] {
  const rows = new Map<number, { first: number; last: number }>()
  for (const place of part) {
    const [column, row] = [place % width, Math.floor(place / width)]
    const known = rows.get(row) ?? { first: column, last: column }
    rows.set(row, { first: Math.min(known.first, column), last: Math.max(known.last, column) })
  }
  return [...rows].flatMap(([row, { first, last }]): Point[] => [
    [first, row],
    [last + 1, row],
    [first, row + 1],
    [last + 1, row + 1],
  ])
}

/** Lines whose middles are within half a line's height are one row. */
function inReadingOrder(lines: readonly Rectangle[]): Rectangle[] {
  const rows: Rectangle[][] = []
  for (const line of [...lines].sort((a, b) => a.y - b.y)) {
    const row = rows.at(-1)
    const [first] = row ?? []
    if (
      row !== undefined &&
      first !== undefined &&
      line.y - first.y < Math.min(first.height, line.height) / 2
    )
      row.push(line)
    else rows.push([line])
  }
  return rows.flatMap(row => row.sort((a, b) => a.x - b.x))
}
