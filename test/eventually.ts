/** Resolves when `holds` does; `what` names it in the failure, which comes after a minute. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = Date.now() + 60_000
  while (!(await holds())) {
    if (Date.now() > giveUpAt) throw new Error(`did not come true: ${what}`)
    await new Promise(resolve => setTimeout(resolve, 2))
  }
}

/** `eventually` for what its own text tells. */
export const until = (holds: () => boolean | Promise<boolean>) => eventually(String(holds), holds)
