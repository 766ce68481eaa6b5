/** ln(n!): by Stirling's series, whose error is below 1e-10 from 16 up. */
export function logFactorial(n: number): number {
  if (n < 16) {
    let product = 1
    for (let at = 2; at <= n; at += 1) product *= at
    return Math.log(product)
  }
  const inverse = 1 / n
  const series = inverse / 12 - inverse ** 3 / 360 + inverse ** 5 / 1260
  return (n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI) + series
}
