/** A feature tensor of any size as a few numbers a row: pure. */
import type { Tensor } from 'onnxruntime-node'

/** Numbers of a folded row. */
export const foldedLength = 16

/**
 * Row `row` of `rows`: elements between the first and the feature axis are averaged, and the features are summed with
 * alternating signs into at most {@link foldedLength} numbers, a count sketch (Charikar, Chen and Farach-Colton 2002),
 * in which what one feature does is not hidden by what all do. Undefined where a number overflowed. `pooled`: float32 [rows, C, 1, ...], else [rows, ..., C].
 */
export function foldFeatures(
  { data, dims }: Pick<Tensor, 'data' | 'dims'>,
  row: number,
  rows: number,
  pooled: boolean,
): Float32Array | undefined {
  if (!(data instanceof Float32Array) || dims[0] !== rows) return undefined
  const features = (pooled ? dims[1] : dims.at(-1)) ?? 0
  const perRow = data.length / rows
  const positions = perRow / features
  if (features === 0 || !Number.isInteger(positions)) return undefined
  const folded = new Float32Array(Math.min(foldedLength, features))
  for (let at = 0, from = row * perRow; at < perRow; at += 1) {
    const feature = at % features
    const slot = feature % folded.length
    folded[slot] = (folded[slot] ?? 0) + (signOf(feature) * (data[from + at] ?? 0)) / positions
  }
  return folded.every(Number.isFinite) ? folded : undefined
}

/** +1 or -1 by a bit of the multiplicative hash (Knuth); what need not be folded keeps its sign's worth. */
const signOf = (feature: number): number => ((Math.imul(feature + 1, 2654435761) >>> 16) & 1 ? 1 : -1)
