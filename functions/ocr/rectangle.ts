/** Rectangles that lie at an angle: the smallest around points, and its corners. */

export type Point = readonly [x: number, y: number]

export interface Rectangle {
  /** Its middle. */
  x: number
  y: number
  /** Along the line of text, and across it. */
  width: number
  height: number
  /** Of the line against the horizontal, -45 to 45 degrees in radians, or upright text read downward. */
  angle: number
}

/** The smallest rectangle: one of its sides lies on a side of the convex hull (Freeman and Shapira, 1975). */
export function smallestRectangle(points: readonly Point[]): Rectangle {
  const hull = convexHull(points)
  let best: Rectangle = {
    x: 0,
    y: 0,
    width: Number.POSITIVE_INFINITY,
    height: Number.POSITIVE_INFINITY,
    angle: 0,
  }
  for (const [index, from] of hull.entries()) {
    const to = hull[(index + 1) % hull.length] ?? from
    const angle = Math.atan2(to[1] - from[1], to[0] - from[0])
    const around = boundsAt(hull, angle)
    if (around.width * around.height < best.width * best.height || hull.length < 3) best = around
  }
  return asLine(best)
}

function boundsAt(points: readonly Point[], angle: number): Rectangle {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  const along = points.map(([x, y]) => x * cos + y * sin)
  const across = points.map(([x, y]) => y * cos - x * sin)
  const [left, right] = [Math.min(...along), Math.max(...along)]
  const [top, bottom] = [Math.min(...across), Math.max(...across)]
  const [u, v] = [(left + right) / 2, (top + bottom) / 2]
  return { x: u * cos - v * sin, y: u * sin + v * cos, width: right - left, height: bottom - top, angle }
}

/** Text runs along the horizontal, unless the rectangle is half as high again as it is wide. */
function asLine({ angle, width, height, ...middle }: Rectangle): Rectangle {
  const quarter = Math.round(angle / (Math.PI / 2))
  const flat = { angle: angle - (quarter * Math.PI) / 2, width, height }
  if (quarter % 2 !== 0) [flat.width, flat.height] = [height, width]
  if (flat.height < 1.5 * flat.width) return { ...middle, ...flat }
  return { ...middle, angle: flat.angle + Math.PI / 2, width: flat.height, height: flat.width }
}

/** Clockwise from the top left of the text. */
export function cornersOf({ x, y, width, height, angle }: Rectangle): Point[] {
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)]
  return (
    [
      [-1, -1],
      [1, -1],
      [1, 1],
      [-1, 1],
    ] as const
  ).map(([right, down]) => {
    const [along, across] = [(right * width) / 2, (down * height) / 2]
    return [x + along * cos - across * sin, y + along * sin + across * cos]
  })
}

/** Andrew's monotone chain, in order around. */
function convexHull(points: readonly Point[]): Point[] {
  const sorted = [...points].sort((a, b) => a[0] - b[0] || a[1] - b[1])
  const half = (ordered: readonly Point[]) => {
    const chain: Point[] = []
    for (const point of ordered) {
      while (chain.length > 1 && turn(chain.at(-2), chain.at(-1), point) <= 0) chain.pop()
      chain.push(point)
    }
    return chain.slice(0, -1)
  }
  const hull = [...half(sorted), ...half(sorted.toReversed())]
  return hull.length > 0 ? hull : sorted.slice(0, 1)
}

function turn(a: Point = [0, 0], b: Point = [0, 0], c: Point): number {
  return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}
