/** Who gets in: a pure decision from the state of the box to what happens with a new request. */

export interface AdmissionFacts {
  /** Requests that may run at once. */
  slots: number
  running: number
  queued: number
  /** Requests that may wait. */
  queueLimit: number
  /** Requests of this function, waiting and running. */
  functionInFlight: number
  /** The function's own bound; undefined: none. */
  maxInFlight: number | undefined
  draining: boolean
}

export type Admission = 'run' | 'queue' | 'shutting-down' | 'function-busy' | 'saturated'

/** First come, first served: a free slot is only taken at once when nobody waits. */
export function admit(facts: AdmissionFacts): Admission {
  if (facts.draining) return 'shutting-down'
  if (facts.maxInFlight !== undefined && facts.functionInFlight >= facts.maxInFlight) return 'function-busy'
  if (facts.queued === 0 && facts.running < facts.slots) return 'run'
  return facts.queued < facts.queueLimit ? 'queue' : 'saturated'
}

/**
 * Whole seconds after which a refused request has a fair chance: the time in which the present queue drains.
 * `meanRunMs` is that of recent runs; at least 1 s, at most 60 s.
 */
export function retryAfterSeconds(queued: number, slots: number, meanRunMs: number): number {
  const drainMs = ((queued + 1) * meanRunMs) / Math.max(1, slots)
  return Math.min(60, Math.max(1, Math.ceil(drainMs / 1000)))
}
