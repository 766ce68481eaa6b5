/**
 * Where a number lies among those of a reference, and how far a window of such places is from it: the two-sample
 * Kolmogorov-Smirnov statistic without sorting the window. Pure.
 */

/** Numbers of the reference as they are kept: ascending, each once, with how many times it was seen. */
export interface RankedReference {
  values: number[]
  counts: number[]
  /** Sum of `counts`. */
  size: number
}

export function rankReference(numbers: readonly number[]): RankedReference {
  const ascending = [...numbers].sort((a, b) => a - b)
  const values: number[] = []
  const counts: number[] = []
  for (const number of ascending) {
    if (number === values.at(-1)) counts[counts.length - 1] = (counts.at(-1) ?? 0) + 1
    else {
      values.push(number)
      counts.push(1)
    }
  }
  return { values, counts, size: numbers.length }
}

/** `2 k + 1` for the k-th value of the reference itself, `2 k` for what lies before it and after the one before. */
export function placeOf({ values }: Pick<RankedReference, 'values'>, number: number): number {
  let [low, high] = [0, values.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((values[middle] ?? Number.NaN) < number) low = middle + 1
    else high = middle
  }
  return values[low] === number ? 2 * low + 1 : 2 * low
}

/** The greatest distance of the two distribution functions, 0 to 1. `places`: how many of the window lie at each. */
export function distanceFrom(
  { counts, size }: RankedReference,
  places: ArrayLike<number>,
  windowSize: number,
): number {
  let greatest = 0
  let below = 0
  let seen = places[0] ?? 0
  for (let at = 0; at < counts.length; at += 1) {
    // Just before the value, at it, and after it, up to the next.
    greatest = Math.max(greatest, Math.abs(below / size - seen / windowSize))
    below += counts[at] ?? 0
    seen += places[2 * at + 1] ?? 0
    greatest = Math.max(greatest, Math.abs(below / size - seen / windowSize))
    seen += places[2 * at + 2] ?? 0
  }
  return greatest
}

/**
 * Probability that two samples of one distribution are `distance` apart or more. The limit distribution of Kolmogorov
 * and Smirnov at sqrt(n m / (n + m)) times the distance, without the correction that makes it less cautious in small
 * samples; for numbers with ties it is more cautious still.
 */
export function distanceProbability(distance: number, n: number, m: number): number {
  const lambda = Math.sqrt((n * m) / (n + m)) * distance
  if (lambda < 0.2) return 1
  let sum = 0
  for (let k = 1; k <= 100; k += 1) {
    const term = 2 * (k % 2 === 1 ? 1 : -1) * Math.exp(-2 * k * k * lambda * lambda)
    sum += term
    if (Math.abs(term) < 1e-30) break
  }
  return Math.min(1, Math.max(0, sum))
}
