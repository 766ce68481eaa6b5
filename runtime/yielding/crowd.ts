/** Whether requests leave a trainer of the CPU room, and who is told when that changes. */

export interface CrowdFacts {
  /** Requests that run at once now. */
  running: number
  /** p95 of their run times is over its bound. */
  overBound: boolean
}

/**
 * That many requests leave it none. Over the bound one is enough, since what computes beside it slows it. Pure.
 *
 * @param crowdedFrom Requests that want every core when they run at once; undefined: no number does.
 */
export function isCrowded({ running, overBound }: CrowdFacts, crowdedFrom: number | undefined): boolean {
  return crowdedFrom !== undefined && running >= (overBound ? 1 : crowdedFrom)
}

export interface Crowd {
  /** What has changed of the facts. */
  now(facts: Partial<CrowdFacts>): void
  is(): boolean
  listeners: Set<(is: boolean) => void>
}

export function createCrowd(crowdedFrom: number | undefined): Crowd {
  const listeners: Crowd['listeners'] = new Set()
  let facts: CrowdFacts = { running: 0, overBound: false }
  const is = () => isCrowded(facts, crowdedFrom)
  return {
    now(more) {
      const before = is()
      facts = { ...facts, ...more }
      if (is() !== before) for (const listener of listeners) listener(!before)
    },
    is,
    listeners,
  }
}
