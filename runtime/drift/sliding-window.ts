/** The last requests by their places in the reference, counted over several lengths at once. */
import type { Reference } from './reference.ts'

export interface SlidingWindow {
  /** `places`: see placesOf. */
  add(places: readonly number[]): void
  /** Requests since the reference was complete. */
  readonly seen: number
  /** How many of the last `length` requests lie at each place of a series; the last series is that of the classes. */
  counts(length: number, series: number): ArrayLike<number>
  /** The requests that are kept, oldest first. */
  rows(): number[][]
}

export function createSlidingWindow(
  reference: Reference,
  lengths: readonly number[],
  { rows = [], seen = 0 }: { rows?: readonly (readonly number[])[]; seen?: number } = {},
): SlidingWindow {
  const longest = Math.max(...lengths)
  const ring: (readonly number[])[] = []
  const sizes = [...reference.series.map(({ counts }) => 2 * counts.length + 1), reference.classCounts.length]
  const tables = new Map(lengths.map(length => [length, sizes.map(size => new Uint16Array(size))]))
  let added = 0

  function count(table: readonly Uint16Array[], places: readonly number[], by: 1 | -1): void {
    for (const [series, places_] of table.entries()) {
      const place = places[series] ?? 0
      places_[place] = (places_[place] ?? 0) + by
    }
  }

  function add(places: readonly number[]): void {
    for (const [length, table] of tables) {
      count(table, places, 1)
      const leaving = added >= length ? ring[(added - length) % longest] : undefined
      if (leaving !== undefined) count(table, leaving, -1)
    }
    ring[added % longest] = places
    added += 1
  }

  for (const row of rows) add(row)
  // What came before the rows that were kept is known by its number alone.
  const before = Math.max(0, seen - added)
  return {
    add,
    get seen() {
      return before + added
    },
    counts(length, series) {
      const table = tables.get(length)?.[series]
      if (table === undefined) throw new RangeError(`no window of ${length}, or no series ${series}`)
      return table
    },
    rows: () =>
      Array.from({ length: Math.min(added, longest) }, (_, at) => [
        ...(ring[(added - Math.min(added, longest) + at) % longest] ?? []),
      ]),
  }
}
