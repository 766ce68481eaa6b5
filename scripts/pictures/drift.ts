/** Worlds and cameras that change: each drift turns good conditions, or the fonts, into worse ones. */
import type { Conditions } from './conditions.ts'
import type { FontKind } from './fonts.ts'
import type { Random } from './random.ts'

export const driftNames = ['low-light', 'blur', 'low-contrast', 'stripes', 'handwriting'] as const
export type DriftName = (typeof driftNames)[number]

type Change = (clean: Conditions, severity: number, random: Random) => Conditions

// Severity 1 is tuned so that the shipped classifier's accuracy is within 0.05 of a reference study's: low light
// 0.777, blur 0.900, low contrast 0.892, stripes 0.723, handwriting 0.875 (evaluate.ts measures it). 0 changes nothing.
const changes: Record<Exclude<DriftName, 'handwriting'>, Change> = {
  /** The lamp fails: a fifth of the light is left, and the sensor's noise shows. */
  'low-light': (clean, severity, random) => ({
    ...clean,
    exposure: clean.exposure * (1 - severity * random.between(0.7, 0.84)),
    noise: clean.noise + severity * random.between(5, 8.5),
  }),
  /** The lens is out of focus. */
  blur: (clean, severity, random) => ({
    ...clean,
    blur: clean.blur + severity * random.between(0.028, 0.062),
  }),
  /** Haze on the glass in front of the lens. */
  'low-contrast': (clean, severity, random) => ({
    ...clean,
    contrast: 1 - severity * random.between(0.6, 0.7),
    noise: clean.noise + severity * random.between(4.5, 9),
  }),
  /**
   * The shadow of a blind lies across the paper, always the same blind: its slats keep their direction and their pitch,
   * but for how the paper is held, and only the place where they fall changes. Blinds of every direction and pitch
   * would be many drifts at once, and a night's labels too few for each.
   */
  stripes: (clean, severity, random) => ({
    ...clean,
    stripes: {
      period: random.between(0.36, 0.44),
      width: random.between(0.4, 0.5),
      angle: Math.PI / 4 + random.between(-0.07, 0.07),
      phase: random.between(0, 1),
      light: 1 - severity * random.between(0.49, 0.63),
    },
  }),
}

export function driftedConditions(
  clean: Conditions,
  drift: DriftName | undefined,
  severity: number,
  random: Random,
): Conditions {
  return drift === undefined || drift === 'handwriting' ? clean : changes[drift](clean, severity, random)
}

/** The world in which people write by hand what used to be printed. */
export function driftedFonts(fonts: FontKind, drift: DriftName | undefined): FontKind {
  return drift === 'handwriting' ? 'handwriting' : fonts
}
