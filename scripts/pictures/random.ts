/** Repeatable randomness for pictures: the same seed and stream give the same numbers on every machine. */

export interface Random {
  /** From `low` up to `high`. */
  between(low: number, high: number): number
  /** A whole number from `low` to `high`, both included. */
  integer(low: number, high: number): number
  chance(probability: number): boolean
  pick<Item>(items: readonly [Item, ...Item[]]): Item
  /** Mean 0, deviation 1, at most 3.5 away from 0. */
  normal(): number
}

/**
 * `stream` names what the numbers are for, so that one decision more in one place (a drift, say) does not
 * change every choice that follows in another (the words, the paper).
 */
export function randomFrom(seed: number, stream: string): Random {
  const next = mulberry32(hash(`${seed}/${stream}`))
  const uniform = () => next() / 2 ** 32
  return {
    between: (low, high) => low + (high - low) * uniform(),
    integer: (low, high) => low + Math.floor((high - low + 1) * uniform()),
    chance: probability => uniform() < probability,
    pick: items => items[Math.floor(uniform() * items.length)] ?? items[0],
    normal() {
      // The sum of four bytes is close to normal, and one draw is all it costs: noise asks for every pixel.
      const bits = next()
      const sum = (bits & 255) + ((bits >>> 8) & 255) + ((bits >>> 16) & 255) + (bits >>> 24)
      return (sum - 510) / 147.8
    },
  }
}

/** The seed of picture `index` in a set: sets with other seeds share none, but for chance. */
export function seedOf(setSeed: number, index: number): number {
  return hash(`${setSeed}#${index}`)
}

/** Tommy Ettinger's mulberry32: 32-bit state, whole numbers from 0 up to 2^32. */
function mulberry32(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return (value ^ (value >>> 14)) >>> 0
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193)
  return value >>> 0
}
