/**
 * The latency bound at run time: pure steps from what a window showed to how many slots to hold back. A slot less lets the
 * other requests run faster, and makes some wait: where those that ask wait longer on the whole, it is given back.
 */

export interface WatchState {
  /** Slots fewer than the operating point has. */
  heldBack: number
  /** Windows in a row over the bound, and well under it. */
  over: number
  under: number
  /** The slot that was held back last is on trial: p95 from arrival to answer before that, and its windows since. */
  trial?: { beforeMs: number; windows: number }
  /** Windows in a row, after that trial, in which requests waited longer than they ran. */
  waiting: number
  /** Slots in a row that had to be given back, and windows until the next one is held back. */
  failures: number
  rest: number
}

export const watchBegin: WatchState = { heldBack: 0, over: 0, under: 0, waiting: 0, failures: 0, rest: 0 }

export interface WindowFacts {
  /** Of run times in the window; undefined: no request ended in it. */
  p95Ms: number | undefined
  /** The same from arrival to answer. */
  wholeP95Ms: number | undefined
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
/** More than windows differ by themselves. */
const worse = 1.25
/** A slot that had to be given back is held back again after twice as long each time. */
const mostRest = 120

/** Each change starts the count anew, so that the next window shows its effect first. */
export function watchBound(state: WatchState, facts: WindowFacts): WatchState {
  const { p95Ms, wholeP95Ms, count, boundMs, slots } = facts
  if (boundMs === undefined) return watchBegin
  const heldBack = Math.min(state.heldBack, Math.max(0, slots - 1))
  // A quiet box says nothing about more slots, and nothing against them either.
  const known = p95Ms !== undefined && wholeP95Ms !== undefined && count >= fewRequests
  const over = known && p95Ms > boundMs ? state.over + 1 : 0
  const under = !known || p95Ms <= boundMs * margin ? state.under + 1 : 0
  const waits = known && heldBack > 0 && state.trial === undefined && wholeP95Ms > 2 * p95Ms
  const waiting = waits ? state.waiting + 1 : 0
  const seen = { ...state, heldBack, over, under, waiting, rest: Math.max(0, state.rest - 1) }
  const next = known ? judgeTrial(seen, wholeP95Ms) : seen
  // Held back in a quieter time, maybe.
  if (next.waiting >= windowsToShrink) return giveBack(next)
  if (known && next.over >= windowsToShrink && heldBack < slots - 1 && next.rest === 0) {
    return { ...next, ...held(heldBack + 1), trial: { beforeMs: wholeP95Ms, windows: 0 } }
  }
  if (next.under >= windowsToGrow && heldBack > 0) return { ...next, ...held(heldBack - 1) }
  return next
}

function judgeTrial(state: WatchState, wholeP95Ms: number): WatchState {
  const { trial, ...others } = state
  if (trial === undefined) return state
  if (wholeP95Ms > trial.beforeMs * worse) return giveBack(others)
  const windows = trial.windows + 1
  return windows < windowsToShrink ? { ...state, trial: { ...trial, windows } } : { ...others, failures: 0 }
}

const giveBack = (state: WatchState): WatchState => ({
  ...state,
  ...held(Math.max(0, state.heldBack - 1)),
  failures: state.failures + 1,
  rest: Math.min(mostRest, windowsToGrow * 2 ** state.failures),
})

const held = (heldBack: number) => ({ heldBack, over: 0, under: 0, waiting: 0 })
