/** Repeatable numbers for fixtures: the same on every machine, whatever is drawn before or beside them. */

/** Numbers from 0 up to 1 that belong to a name. mulberry32 (Tommy Ettinger), started from FNV-1a of the name. */
export function numbersOf(name: string, seed: number): () => number {
  let state = seed ^ 0x811c9dc5
  for (const byte of new TextEncoder().encode(name)) state = Math.imul(state ^ byte, 0x01000193)
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
