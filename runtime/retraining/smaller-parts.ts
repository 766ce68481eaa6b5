/** How many pictures at once training goes on with after memory ran out: pure steps, and what is remembered of them. */
import { z } from 'zod'

/** What a model's training has been seen to have no memory for. */
export const microBatchLimitSchema = z.object({
  /** The most pictures at once that are tried again. */
  microBatch: z.int().min(1),
  /** What training might take of memory then; null: it had no bound. Unit: bytes. */
  memoryBytes: z.number().nullable(),
  /** ISO 8601. */
  at: z.string(),
})
export type MicroBatchLimit = z.output<typeof microBatchLimitSchema>

/** Half as many; undefined when a single picture did not fit. */
export function smallerParts(pictures: number): number | undefined {
  return pictures > 1 ? Math.floor(pictures / 2) : undefined
}

/** With this much more memory than when it ran out, more is tried again. */
const roomier = 1.25

/** The limit that holds for a run that may take `memoryBytes`; undefined: none. */
export function limitInForce(
  limit: MicroBatchLimit | undefined,
  memoryBytes: number | undefined,
): number | undefined {
  if (limit === undefined) return undefined
  const outdated =
    limit.memoryBytes !== null && memoryBytes !== undefined && memoryBytes > limit.memoryBytes * roomier
  return outdated ? undefined : limit.microBatch
}
