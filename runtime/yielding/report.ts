/** How a trainer yielded to requests, as it is recorded and shown. */
import { z } from 'zod'

export const yieldReportSchema = z.object({
  /**
   * How the trainer yields to requests: by the idle scheduling class, by asking before each step, by niceness, or not.
   */
  how: z.enum(['idle-class-with-bursts', 'idle-class', 'nice', 'asks', 'none']),
  /** Time that the run lost to requests, so far. */
  waitedMs: z.number(),
  /** Of the time that it was not paused, from 0 to 1. */
  share: z.number(),
  /** Times at which it got its floor although requests wanted the device. */
  bursts: z.int(),
  /** What keeps it from its floor here; null: nothing. */
  note: z.string().nullable(),
})
export type YieldReport = z.output<typeof yieldReportSchema>
