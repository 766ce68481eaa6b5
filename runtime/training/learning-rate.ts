/** The learning rate of each step: a short linear warm-up, then half a cosine down to a part of it. */

export interface RateSchedule {
  /** The rate at the peak, as the definition gives it. */
  peak: number
  /** Steps of the whole run. */
  steps: number
  /** Share of the steps in which the rate rises. */
  warmUp: number
  /** Rate at the end, as a share of the peak. */
  finalRate: number
}

/** `step` counts from 0. Cosine annealing: Loshchilov and Hutter 2017, "SGDR". */
export function learningRateAt(step: number, { peak, steps, warmUp, finalRate }: RateSchedule): number {
  const rising = warmUp === 0 ? 0 : Math.max(1, Math.round(steps * warmUp))
  if (step < rising) return (peak * (step + 1)) / (rising + 1)
  const progress = Math.min(1, (step - rising) / Math.max(1, steps - rising))
  return peak * (finalRate + ((1 - finalRate) * (1 + Math.cos(Math.PI * progress))) / 2)
}
