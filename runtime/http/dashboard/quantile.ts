/** Quantiles of a histogram: from counts of values up to each bound, as Prometheus keeps them. */

export interface Bucket {
  /** Largest value that it counts; the last one's is infinity. */
  bound: number
  /** Values up to the bound, those of the smaller buckets included. */
  count: number
}

/**
 * Linear within a bucket, as Prometheus' histogram_quantile; in the last one its lower bound. Buckets ascend.
 * Undefined when nothing was counted.
 */
export function quantileOf(buckets: readonly Bucket[], share: number): number | undefined {
  const total = buckets.at(-1)?.count ?? 0
  if (total <= 0) return undefined
  const rank = share * total
  const index = buckets.findIndex(({ count }) => count >= rank)
  const { bound: low, count: below } = buckets[index - 1] ?? { bound: 0, count: 0 }
  const { bound: high, count } = buckets[index] ?? { bound: low, count: below }
  if (!Number.isFinite(high) || count === below) return low
  return low + ((high - low) * (rank - below)) / (count - below)
}

/** What was counted between two looks at one histogram. */
export function bucketsBetween(before: readonly Bucket[], now: readonly Bucket[]): Bucket[] {
  const counted = new Map(before.map(({ bound, count }) => [bound, count]))
  return now.map(({ bound, count }) => ({ bound, count: count - (counted.get(bound) ?? 0) }))
}
