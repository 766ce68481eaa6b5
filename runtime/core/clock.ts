/** Time as it is passed in: tests set their own. */
export interface Clock {
  /** Milliseconds since 1970, for records that people read. */
  now(): number
  /** Milliseconds that never run backwards, for durations and deadlines. */
  monotonic(): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}
