/** When to stop, and which epoch's weights to keep, by the validation loss. Pure. */
import { z } from 'zod'

/** Fewer pictures than this say too little: all epochs are trained, and the last one's weights are kept. */
export const leastValidation = 5

export const bestEpochSchema = z.object({ epoch: z.int(), loss: z.number() })
/** The epoch with the lowest validation loss so far. */
export type BestEpoch = z.output<typeof bestEpochSchema>

/** The earlier one of equals; a loss that is no number is never the best. */
export function isBest(best: BestEpoch | undefined, loss: number): boolean {
  return Number.isFinite(loss) && (best === undefined || loss < best.loss)
}

/** Whether `patience` epochs have passed without a better one; 0 is patience without end. */
export function isHopeless(best: BestEpoch | undefined, epoch: number, patience: number): boolean {
  return patience > 0 && best !== undefined && epoch - best.epoch >= patience
}
