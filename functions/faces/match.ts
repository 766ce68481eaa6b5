/** Whose a face is, or that it is nobody's who is known. Pure. */

/**
 * Least similarity of two vectors of one person: the cosine of the angle between them. See the README for the errors at it.
 */
export const threshold = 0.65

export interface Person {
  name: string
  /** One for each picture, of length 1. */
  vectors: readonly Float32Array[]
}

export interface Match {
  name: string | null
  /** To the most similar picture in the gallery, whoever it shows; null where there is none. */
  similarity: number | null
}

export function similarity(a: Float32Array, b: Float32Array): number {
  let sum = 0
  for (let at = 0; at < a.length; at += 1) sum += (a[at] ?? 0) * (b[at] ?? 0)
  return sum
}

export function bestMatch(vector: Float32Array, people: readonly Person[], least = threshold): Match {
  let best: { name: string; similarity: number } | undefined
  for (const { name, vectors } of people) {
    for (const known of vectors) {
      const found = similarity(vector, known)
      if (best === undefined || found > best.similarity) best = { name, similarity: found }
    }
  }
  if (best === undefined) return { name: null, similarity: null }
  const rounded = Math.round(best.similarity * 1000) / 1000
  return { name: best.similarity >= least ? best.name : null, similarity: rounded }
}
