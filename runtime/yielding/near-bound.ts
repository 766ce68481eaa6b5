/** When serving has no room for training: pure. */

export interface Latency {
  /** p95 of recent run times; undefined: nothing was asked. Unit: ms. */
  p95Ms: number | undefined
  /** What it may be; undefined: no profile says. Unit: ms. */
  boundMs: number | undefined
}

/** From this share of the bound on. */
const near = 0.9

export const isNearBound = (latency: Latency): boolean => isOver(latency, near)
export const isOverBound = (latency: Latency): boolean => isOver(latency, 1)

const isOver = ({ p95Ms, boundMs }: Latency, share: number): boolean =>
  p95Ms !== undefined && boundMs !== undefined && p95Ms > boundMs * share
