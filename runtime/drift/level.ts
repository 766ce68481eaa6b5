/** How bad it is: up at once, down only after calm. Pure. */
import { z } from 'zod'

export const driftLevels = ['stable', 'warning', 'drifted'] as const
export type DriftLevel = (typeof driftLevels)[number]

export const levelStateSchema = z.object({
  level: z.enum(driftLevels),
  /** Looks in a row that did not even warn. */
  calmLooks: z.int(),
})
export type LevelState = z.output<typeof levelStateSchema>

export const stable: LevelState = { level: 'stable', calmLooks: 0 }

/** A warning may be false this many times as often as an alarm. */
export const warningFactor = 50
/** So many calm looks in a row, about 200 requests, end a warning or a drift. */
export const calmLooksToEnd = 20

/** `risk`: the least of a look's findings; 1 and below is an alarm. */
export function nextLevel({ level, calmLooks }: LevelState, risk: number): LevelState {
  if (risk <= 1) return { level: 'drifted', calmLooks: 0 }
  if (risk <= warningFactor) return { level: level === 'drifted' ? 'drifted' : 'warning', calmLooks: 0 }
  if (level === 'stable' || calmLooks + 1 >= calmLooksToEnd) return stable
  return { level, calmLooks: calmLooks + 1 }
}
