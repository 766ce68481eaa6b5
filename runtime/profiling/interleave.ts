/** A mix of functions as a smooth sequence: each has its share of every stretch, none comes in bursts. Pure. */

export interface Weighted {
  /** Of all; any unit. */
  share: number
}

/**
 * Endless, and after n turns within one of n times its share for each (smooth weighted round robin, as nginx has it).
 * `random`, uniform in 0..1, sets where each begins, so that seeds give different orders of the same mix.
 */
export function* interleave<Item extends Weighted>(
  items: readonly Item[],
  random: () => number,
): Generator<Item, never> {
  const total = items.reduce((sum, { share }) => sum + share, 0)
  const credits = items.map(item => ({ item, credit: random() * item.share }))
  for (;;) {
    for (const each of credits) each.credit += each.item.share
    const next = credits.reduce((best, each) => (each.credit > best.credit ? each : best))
    next.credit -= total
    yield next.item
  }
}
