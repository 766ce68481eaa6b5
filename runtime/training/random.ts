/** Repeatable randomness: the same seed gives the same order of pictures on every machine. */

/** Numbers from 0 up to 1. xorshift32 (Marsaglia 2003, "Xorshift RNGs"), whose state may not be 0. */
export function seededRandom(seed: number): () => number {
  // Knuth's multiplicative hash spreads small seeds over all bits.
  let state = Math.imul(seed + 1, 2654435761) | 0 || 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** A new array in random order: sorted by a random key each. */
export function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const order = items.map(item => ({ item, key: random() }))
  return order.sort((a, b) => a.key - b.key).map(({ item }) => item)
}
