/** Which of those who wait go out together: a pure choice. */

export interface BatchFacts {
  /** The most that may go out together. */
  batch: number
  /** Slots that are free, one of them for this batch. */
  free: number
}

/**
 * The first who waits, and those after it with the same key, by arrival: never more than `batch`, and no more than its
 * share when several slots are free. `undefined` as a key goes alone.
 */
export function chooseBatch<Waiting extends { key: string | undefined }>(
  waiting: Iterable<Waiting>,
  { batch, free }: BatchFacts,
): Waiting[] {
  const [first] = waiting
  if (first === undefined) return []
  if (first.key === undefined || batch <= 1) return [first]
  const alike = [...waiting].filter(({ key }) => key === first.key)
  const share = Math.ceil(alike.length / Math.max(1, free))
  return alike.slice(0, Math.min(batch, share))
}
