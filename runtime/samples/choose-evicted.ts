/**
 * Which samples make room for a new one: pure. A class that is full gives up one of its own at random for each that
 * comes, a reservoir with a bias to the present (Aggarwal 2006, "On Biased Reservoir Sampling in the Presence of
 * Stream Evolution"): after n more, one of k is still there with probability (1 - 1/k)^n, so neither an early burst
 * nor the last hour has all the places.
 */

export interface Resident {
  id: string
  label: string
  bytes: number
}

export interface Quota {
  /** The most samples of a label. */
  perLabel: number
  /** The most bytes of all samples of a function. */
  bytes: number
}

/**
 * Ids to remove. Bytes are taken from the labels that have the most samples, so that rare ones keep theirs. The new one
 * is never among them.
 * @param residents the new one included
 * @param random numbers from 0 up to 1
 */
export function chooseEvicted(
  residents: readonly Resident[],
  newcomer: string,
  quota: Quota,
  random: () => number,
): string[] {
  const left = new Map(residents.map(resident => [resident.id, resident]))
  const label = left.get(newcomer)?.label
  const evicted: string[] = []
  const evictOneOf = (candidates: readonly Resident[]): boolean => {
    const chosen = candidates[Math.floor(random() * candidates.length)]
    if (chosen === undefined) return false
    left.delete(chosen.id)
    evicted.push(chosen.id)
    return true
  }
  const others = () => [...left.values()].filter(({ id }) => id !== newcomer)

  const own = () => others().filter(resident => resident.label === label)
  for (let count = own().length + 1; count > quota.perLabel; count -= 1) if (!evictOneOf(own())) break

  let bytes = residents.reduce((sum, resident) => sum + (left.has(resident.id) ? resident.bytes : 0), 0)
  while (bytes > quota.bytes) {
    const candidates = ofCommonLabels(others())
    if (!evictOneOf(candidates)) break
    bytes -= residents.find(({ id }) => id === evicted.at(-1))?.bytes ?? 0
  }
  return evicted
}

/** Those of the labels that have the most. */
function ofCommonLabels(residents: readonly Resident[]): Resident[] {
  const counts = new Map<string, number>()
  for (const { label } of residents) counts.set(label, (counts.get(label) ?? 0) + 1)
  // Not spread into the arguments of one call: nearly every label of a regression is another one.
  const most = [...counts.values()].reduce((most, count) => Math.max(most, count), 0)
  return residents.filter(({ label }) => counts.get(label) === most)
}
