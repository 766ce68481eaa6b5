/** What a retraining says about trying its candidate on live requests before it takes over. Fills in defaults. */
import { z } from 'zod'

/** A trial of more than a month is a mistake. */
const mostMs = 31 * 24 * 3_600_000

export const canarySchema = z
  .strictObject({
    mode: z.enum(['canary', 'shadow']).default('canary'),
    share: z.number().gt(0).max(1).default(0.1),
    requests: z.int().min(1).max(1_000_000).default(500),
    forMs: z
      .number()
      .positive()
      .max(mostMs)
      .default(24 * 3_600_000),
    maxSlowdown: z.number().min(0).default(0.25),
  })
  .refine(({ mode, share }) => mode === 'shadow' || share <= 0.9, {
    path: ['share'],
    error: 'expected at most 0.9 with mode "canary": the version that serves is what it is compared with',
  })
export type CheckedCanary = z.output<typeof canarySchema>
