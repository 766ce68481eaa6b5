/** What happens to cameras: each drift turns a good one into a worse one. Severity 0 changes nothing. */
import type { Random } from '../random.ts'
import type { CameraConditions } from './conditions.ts'

export const cameraDrifts = ['night', 'white-balance', 'dirty-lens', 'tilted', 'out-of-focus'] as const
export type CameraDrift = (typeof cameraDrifts)[number]

const degrees = Math.PI / 180

const changes: Record<CameraDrift, (good: CameraConditions, random: Random) => CameraConditions> = {
  /** Too little light: the gain is at its end, and what is left is dark and noisy. */
  night: (good, random) => ({
    ...good,
    exposure: good.exposure - random.between(3, 3.8),
    shotNoise: random.between(0.03, 0.05),
    readNoise: random.between(0.003, 0.005),
  }),
  /** The camera stays set for daylight while sodium lamps shine: all is orange, and next to no blue is left. */
  'white-balance': (good, random) => ({
    ...good,
    whiteBalance: [random.between(1.7, 2.1), 0.9, random.between(0.06, 0.16)],
  }),
  /** The same smears for as long as nobody wipes: they only lie a little differently for each lens. */
  'dirty-lens': (good, random) => ({
    ...good,
    dirt: {
      spots: smears.map(({ x, y, radius }) => ({
        x: x + random.between(-0.04, 0.04),
        y: y + random.between(-0.04, 0.04),
        radius: radius * random.between(1.3, 1.6),
        density: random.between(0.93, 0.99),
      })),
      scatter: random.between(0.05, 0.08),
      haze: random.between(0.7, 0.85),
    },
  }),
  /** The mount has given way: the camera hangs on its side and looks down. */
  tilted: (good, random) => ({
    ...good,
    roll: good.roll + random.between(70, 100) * degrees,
    pitch: good.pitch - random.between(4, 12) * degrees,
  }),
  'out-of-focus': (good, random) => ({ ...good, blur: random.between(0.02, 0.028) }),
}

/** In picture widths, from the middle. */
const smears = [
  { x: -0.28, y: -0.12, radius: 0.2 },
  { x: 0.1, y: 0.05, radius: 0.24 },
  { x: 0.36, y: -0.2, radius: 0.16 },
  { x: -0.1, y: 0.3, radius: 0.18 },
]

export function drifted(
  good: CameraConditions,
  drift: CameraDrift | undefined,
  random: Random,
): CameraConditions {
  return drift === undefined ? good : changes[drift](good, random)
}
