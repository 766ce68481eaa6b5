/** Which requests' pictures are kept: pure. */
import type { CheckedCapture } from '../core/watching-schema.ts'

/**
 * @param probability the top probability that the request was answered with; undefined where no model said one
 * @param random numbers from 0 up to 1
 */
export function isCaptured(
  { share, uncertain }: Pick<CheckedCapture, 'share' | 'uncertain'>,
  probability: number | undefined,
  random: () => number,
): boolean {
  if (probability === undefined) return false
  return random() < share || (probability < uncertain.below && random() < uncertain.share)
}
