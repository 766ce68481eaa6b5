/** What a definition says about watching a function's requests: captures of inputs, and drift. Fills in defaults. */
import { z } from 'zod'

/** Top probability below which a request counts as uncertain. */
const defaultBound = 0.7

/** A hundred years. */
const mostKeepHours = 100 * 366 * 24

const share = z.number().min(0).max(1)

export const captureSchema = z.strictObject({
  share: share.default(0),
  uncertain: z
    .union([
      share.transform(value => ({ below: defaultBound, share: value })),
      z.strictObject({ below: share.default(defaultBound), share: share.default(1) }),
    ])
    .prefault(0),
  keepHours: z.number().positive().max(mostKeepHours).default(168),
  maxBytes: z
    .int()
    .min(1)
    .default(256 * 2 ** 20),
})
export type CheckedCapture = z.output<typeof captureSchema>

export const driftSchema = z.union([
  z.literal(false),
  z.strictObject({
    reference: z.int().min(250).max(20_000).default(1000),
    from: z.enum(['requests', 'pictures']).default('requests'),
    falseAlarms: z.number().positive().max(1).default(1e-3),
  }),
])
export type CheckedDrift = Exclude<z.output<typeof driftSchema>, false>
