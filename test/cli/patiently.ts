/**
 * `eventually` for what a trainer brings about, with what was found. A trainer runs only while nobody else wants the
 * cores: asking without a pause would starve it, and on a busy machine it takes minutes.
 */
export async function patiently<Found>(what: string, find: () => Promise<Found | undefined>): Promise<Found> {
  const giveUpAt = Date.now() + 4 * 60_000
  for (;;) {
    const found = await find()
    if (found !== undefined) return found
    if (Date.now() > giveUpAt) throw new Error(`did not come true: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
