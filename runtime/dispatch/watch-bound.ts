/** The latency bound at run time: pure steps from what a window showed to how many slots to hold back. */

export interface WatchState {
  /** Slots fewer than the operating point has. */
  heldBack: number
  /** Windows in a row over the bound, and well under it. */
  over: number
  under: number
}

export const watchBegin: WatchState = { heldBack: 0, over: 0, under: 0 }

export interface WindowFacts {
  /** Of run times in the window; undefined: no request ended in it. */
  p95Ms: number | undefined
  count: number
  /** Undefined: no profile gives one. */
  boundMs: number | undefined
  /** Slots of the operating point. */
  slots: number
}

/** A p95 of fewer says little. */
const fewRequests = 20
/** One window over the bound may be a disturbance. */
const windowsToShrink = 3
/** Growing back is slow: each try that fails costs the bound again. */
const windowsToGrow = 12
/** Well under the bound: a slot more must not break it at once. */
const margin = 0.9

/** Each change starts the count anew, so that the next window shows its effect first. */
export function watchBound(state: WatchState, { p95Ms, count, boundMs, slots }: WindowFacts): WatchState {
  if (boundMs === undefined) return watchBegin
  const heldBack = Math.min(state.heldBack, Math.max(0, slots - 1))
  // A quiet box says nothing about more slots, and nothing against them either.
  const known = p95Ms !== undefined && count >= fewRequests
  const over = known && p95Ms > boundMs ? state.over + 1 : 0
  const under = !known || p95Ms <= boundMs * margin ? state.under + 1 : 0
  if (over >= windowsToShrink && heldBack < slots - 1) return { heldBack: heldBack + 1, over: 0, under: 0 }
  if (under >= windowsToGrow && heldBack > 0) return { heldBack: heldBack - 1, over: 0, under: 0 }
  return { heldBack, over, under }
}
