/** Resolves when `holds` does; `what` names it in the failure, which comes after a minute. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  await found(what, async () => (await holds()) || undefined, { everyMs: 2, limitMs: 60_000 })
}

/** `eventually` for what its own text tells. */
export const until = (holds: () => boolean | Promise<boolean>) => eventually(String(holds), holds)

/**
 * `eventually` for what a trainer brings about, with what was found. A trainer runs only while nobody else wants the
 * cores: asking without a pause would starve it, and on a busy machine it takes minutes.
 */
export const patiently = <Found>(what: string, find: () => Promise<Found | undefined>): Promise<Found> =>
  found(what, find, { everyMs: 50, limitMs: 4 * 60_000 })

async function found<Found>(
  what: string,
  find: () => Promise<Found | undefined>,
  { everyMs, limitMs }: { everyMs: number; limitMs: number },
): Promise<Found> {
  const giveUpAt = Date.now() + limitMs
  for (;;) {
    const found = await find()
    if (found !== undefined) return found
    if (Date.now() > giveUpAt) throw new Error(`did not come true: ${what}`)
    await new Promise(resolve => setTimeout(resolve, everyMs))
  }
}
