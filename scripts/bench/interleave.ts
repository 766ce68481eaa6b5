// Comparisons that survive a noisy machine: the contestants take turns in one run, and ratios are made round by round.

export type Contestant = () => Promise<unknown>

/** Milliseconds of every contestant in every round. The first `warmUp` rounds are thrown away. */
export async function interleave<Name extends string>(
  contestants: Record<Name, Contestant>,
  { rounds, warmUp = 1 }: { rounds: number; warmUp?: number },
): Promise<Record<Name, number[]>> {
  const names = Object.keys(contestants) as Name[] // the record has no other keys
  const times = Object.fromEntries(names.map(name => [name, []])) as unknown as Record<Name, number[]>
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const name of names) {
      const startedAt = performance.now()
      await contestants[name]()
      if (round >= 0) times[name].push(performance.now() - startedAt)
    }
  }
  return times
}

/** Round by round, so that what slowed a whole round down cancels. */
export function ratios(above: readonly number[], below: readonly number[]): number[] {
  return above.map((value, round) => value / (below[round] ?? Number.NaN))
}
