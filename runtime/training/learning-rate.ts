/** The learning rate of each step: a short linear warm-up, then half a cosine down to a tenth. */

export interface RateSchedule {
  /** The rate at the peak, as the definition gives it. */
  peak: number
  /** Steps of the whole run. */
  steps: number
}

const warmUpShare = 0.05
const lastShare = 0.1

/** `step` counts from 0. Cosine annealing: Loshchilov and Hutter 2017, "SGDR". */
export function learningRateAt(step: number, { peak, steps }: RateSchedule): number {
  const warmUp = Math.max(1, Math.round(steps * warmUpShare))
  if (step < warmUp) return (peak * (step + 1)) / (warmUp + 1)
  const progress = Math.min(1, (step - warmUp) / Math.max(1, steps - warmUp))
  return peak * (lastShare + ((1 - lastShare) * (1 + Math.cos(Math.PI * progress))) / 2)
}
