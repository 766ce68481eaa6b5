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
  /** From arrival to the answer. */
  timeoutMs: number
  /** When it would be answered; undefined: too little is known. */
  predictedMs: number | undefined
  draining: boolean
}

export type Admission = 'run' | 'queue' | 'shutting-down' | 'function-busy' | 'saturated' | 'too-late'

/** First come, first served: a free slot is there for a new request only when nobody waits. */
export const hasRoom = ({ queued, running, slots }: Pick<AdmissionFacts, 'queued' | 'running' | 'slots'>) =>
  queued === 0 && running < slots

/** A slot that is free is given whatever is predicted: runs are what predictions are corrected by. */
export function admit(facts: AdmissionFacts): Admission {
  if (facts.draining) return 'shutting-down'
  if (facts.maxInFlight !== undefined && facts.functionInFlight >= facts.maxInFlight) return 'function-busy'
  if (hasRoom(facts)) return 'run'
  if (facts.queued >= facts.queueLimit) return 'saturated'
  return facts.predictedMs !== undefined && facts.predictedMs > facts.timeoutMs ? 'too-late' : 'queue'
}

const wholeSeconds = (ms: number) => Math.min(60, Math.max(1, Math.ceil(ms / 1000)))

/**
 * Whole seconds after which a refused request has a fair chance: the time in which the present queue drains.
 * `meanRunMs` is that of recent runs; at least 1 s, at most 60 s.
 */
export function retryAfterSeconds(queued: number, slots: number, meanRunMs: number): number {
  return wholeSeconds(((queued + 1) * meanRunMs) / Math.max(1, slots))
}

/** The same for one who would be too late now: when enough of the queue is done. */
export function retryWhenInTimeSeconds(predictedMs: number, timeoutMs: number): number {
  return wholeSeconds(predictedMs - timeoutMs)
}
