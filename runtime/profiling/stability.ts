/** When a measurement may be believed: pure. */

/** What a window of a measurement showed. */
export interface WindowFigures {
  /** Requests a second. */
  rate: number
  p95Ms: number
}

/** So many windows in a row must agree; a result is made of them. */
export const windowsThatAgree = 3
/** The largest may be so much over the smallest. */
const tolerance = 0.1
/** Windows after which a measurement ends without agreement, and its point is marked as unstable. */
export const mostWindows = 6

/** Whether the last {@link windowsThatAgree} agree within 10 %, in rate and in p95. */
export function haveSettled(windows: readonly WindowFigures[]): boolean {
  const last = windows.slice(-windowsThatAgree)
  if (last.length < windowsThatAgree) return false
  const agree = (values: number[]) => Math.max(...values) <= Math.min(...values) * (1 + tolerance)
  return agree(last.map(({ rate }) => rate)) && agree(last.map(({ p95Ms }) => p95Ms))
}
