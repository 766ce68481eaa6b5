/** A lens out of focus: a Gaussian blur of one plane. */

/** `sigma` in pixels. Edges repeat the outermost pixel. float32 [height, width] */
export function blurred(plane: Float32Array, width: number, height: number, sigma: number): Float32Array {
  const weights = kernel(sigma)
  if (weights.length === 1) return plane
  const rows = convolved(plane, height, width, width, 1, weights)
  return convolved(rows, width, height, 1, width, weights)
}

/** Half of a Gaussian: its middle first, cut after three deviations, summing to 1 with its mirror image. */
function kernel(sigma: number): Float32Array {
  const reach = Math.ceil(3 * sigma)
  const weights = Float32Array.from({ length: reach + 1 }, (_, at) =>
    Math.exp(-(at * at) / (2 * sigma * sigma)),
  )
  if (reach === 0) return weights.fill(1)
  const sum = weights.reduce((total, weight, at) => total + (at === 0 ? weight : 2 * weight), 0)
  return weights.map(weight => weight / sum)
}

/** Along one axis: `lines` lines that start `lineStep` apart, each of `length` values `step` apart. */
function convolved(
  plane: Float32Array,
  lines: number,
  length: number,
  lineStep: number,
  step: number,
  weights: Float32Array,
): Float32Array {
  const result = new Float32Array(plane.length)
  const last = length - 1
  for (let line = 0; line < lines; line++) {
    const start = line * lineStep
    for (let at = 0; at < length; at++) {
      let sum = (weights[0] ?? 0) * (plane[start + at * step] ?? 0)
      for (let off = 1; off < weights.length; off++) {
        const before = plane[start + Math.max(0, at - off) * step] ?? 0
        const after = plane[start + Math.min(last, at + off) * step] ?? 0
        sum += (weights[off] ?? 0) * (before + after)
      }
      result[start + at * step] = sum
    }
  }
  return result
}
