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

/**
 * The seed of one part of a run, such as an epoch, or a picture in an epoch: what is drawn there depends on the run's seed
 * and on the place alone, so a run that goes on at a checkpoint draws what it would have drawn.
 */
export function seedAt(seed: number, ...place: readonly number[]): number {
  // The finalizer of MurmurHash3 (Appleby 2011) after each number.
  return place.reduce((hash, number) => finalize((hash ^ number) + 0x9e3779b9), seed) >>> 0
}

function finalize(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** A new array in random order: sorted by a random key each. */
export function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const order = items.map(item => ({ item, key: random() }))
  return order.sort((a, b) => a.key - b.key).map(({ item }) => item)
}

/** Standard normal numbers by Box and Muller's transform (1958). */
export function normalFrom(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
