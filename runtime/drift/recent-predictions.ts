/** What the last requests were answered, by their ids: what feedback is held against. In memory, and bounded. */

export interface Prediction {
  function: string
  model: string
  version: string
  label: string
  probability: number
  /** Whether the truth about it has become known, and been counted. */
  counted?: boolean
  /** The sample that its picture has become. */
  sample?: string
}

export interface RecentPredictions {
  /** The newest of a request id wins, which callers choose. */
  add(requestId: string, prediction: Prediction): void
  get(name: string, requestId: string): Prediction | undefined
}

/** `limit`: of all functions together. */
export function createRecentPredictions(limit = 20_000): RecentPredictions {
  const known = new Map<string, Prediction>()
  // A function's name has no slash.
  const key = (name: string, requestId: string) => `${name}/${requestId}`
  return {
    add(requestId, prediction) {
      const own = key(prediction.function, requestId)
      known.delete(own)
      known.set(own, prediction)
      if (known.size > limit) known.delete(known.keys().next().value ?? '')
    },
    get: (name, requestId) => known.get(key(name, requestId)),
  }
}
