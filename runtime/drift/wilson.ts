/** A share with its uncertainty: pure. */

export interface Share {
  value: number
  /** Wilson's score interval (Wilson 1927). */
  interval: [number, number]
  count: number
}

/** `z`: 1.96 for an interval of 95 %. Undefined without any. */
export function wilsonShare(hits: number, count: number, z = 1.96): Share | undefined {
  if (count === 0) return undefined
  const value = hits / count
  const weight = 1 + (z * z) / count
  const middle = (value + (z * z) / (2 * count)) / weight
  const reach = (z / weight) * Math.sqrt((value * (1 - value)) / count + (z * z) / (4 * count * count))
  return { value, interval: [Math.max(0, middle - reach), Math.min(1, middle + reach)], count }
}
