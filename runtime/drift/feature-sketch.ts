/** Mean and variance of feature vectors, and how far another vector is from them: pure. */

export interface FeatureSketch {
  mean: number[]
  /** Standard deviation; 0 where all were equal. */
  deviation: number[]
}

type Vector = readonly number[] | Float32Array

/** Vectors of one length, at least two. */
export function sketchFeatures(vectors: readonly Vector[]): FeatureSketch {
  const length = vectors[0]?.length ?? 0
  const over = (value: (vector: Vector, at: number) => number, count: number) =>
    Array.from(
      { length },
      (_, at) => vectors.reduce((sum, vector) => sum + value(vector, at), 0) / Math.max(1, count),
    )
  const mean = over((vector, at) => vector[at] ?? 0, vectors.length)
  const variance = over((vector, at) => ((vector[at] ?? 0) - (mean[at] ?? 0)) ** 2, vectors.length - 1)
  return { mean, deviation: variance.map(Math.sqrt) }
}

/**
 * Root of the mean square of all elements' distances from the mean, each in its own standard deviations: about 1 for
 * a vector of the same kind. What never varied does not count.
 */
export function standardizedDistance({ mean, deviation }: FeatureSketch, vector: Vector): number {
  let sum = 0
  let counted = 0
  for (const [at, spread] of deviation.entries()) {
    if (spread === 0) continue
    sum += (((vector[at] ?? 0) - (mean[at] ?? 0)) / spread) ** 2
    counted += 1
  }
  return counted === 0 ? 0 : Math.sqrt(sum / counted)
}
