/** Percentiles of measured latencies. */

/** The nearest-rank percentile of ascending values; NaN of none. `share` from 0 to 1. */
export function percentile(ascending: readonly number[], share: number): number {
  const rank = Math.max(1, Math.ceil(share * ascending.length))
  return ascending[rank - 1] ?? Number.NaN
}

export function latencyPercentiles(latenciesMs: readonly number[]): {
  p50: number
  p95: number
  p99: number
} {
  const ascending = [...latenciesMs].sort((a, b) => a - b)
  return {
    p50: percentile(ascending, 0.5),
    p95: percentile(ascending, 0.95),
    p99: percentile(ascending, 0.99),
  }
}
