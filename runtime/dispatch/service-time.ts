/** How long requests of a function take, as a running estimate, and when a new one would be done. Pure. */

export interface ServiceTime {
  /** Slot time of one request: that of a run, shared by all who went out together. Unit: ms. */
  meanMs: number
  /** Variance of it. Unit: ms squared. */
  variance: number
  /** A whole run, from its start to the answer of its last request. Unit: ms. */
  runMs: number
  /** Runs that the estimate is made of. */
  runs: number
}

/** Weight of the newest run. The first ones count alike, so that a cold first run is soon forgotten. */
const newestWeight = 0.1

/** Exponentially weighted mean and variance (T. Finch, 2009, "Incremental calculation of weighted mean and variance"). */
export function observeRun(
  known: ServiceTime | undefined,
  { ms, size }: { ms: number; size: number },
): ServiceTime {
  const share = ms / size
  if (known === undefined) return { meanMs: share, variance: 0, runMs: ms, runs: 1 }
  const weight = Math.max(newestWeight, 1 / (known.runs + 1))
  const difference = share - known.meanMs
  return {
    meanMs: known.meanMs + weight * difference,
    variance: (1 - weight) * (known.variance + weight * difference ** 2),
    runMs: known.runMs + weight * (ms - known.runMs),
    runs: known.runs + 1,
  }
}

export interface Ahead {
  service: ServiceTime | undefined
  count: number
}

export interface PredictionFacts {
  /** Requests that wait, by function. */
  waiting: readonly Ahead[]
  /** Requests that run, by function: half of their time is still to come. */
  running: readonly Ahead[]
  slots: number
  /** Of the function that the new request is for. */
  own: ServiceTime | undefined
}

/** Runs below which an estimate says nothing. */
const fewRuns = 3

/**
 * Milliseconds until a request that came now would be answered, one standard deviation on the safe side, when the
 * slots work off what is ahead of it. Undefined while too little is known of its function.
 */
export function predictFinishMs({ waiting, running, slots, own }: PredictionFacts): number | undefined {
  if (own === undefined || own.runs < fewRuns) return undefined
  const work = (ahead: readonly Ahead[]) =>
    ahead.reduce((sum, { service, count }) => sum + count * (service?.meanMs ?? 0), 0)
  const queueMs = (work(waiting) + work(running) / 2) / Math.max(1, slots)
  const variance = waiting.reduce((sum, { service, count }) => sum + count * (service?.variance ?? 0), 0)
  return queueMs + own.runMs + Math.sqrt(variance / Math.max(1, slots) ** 2 + own.variance)
}
