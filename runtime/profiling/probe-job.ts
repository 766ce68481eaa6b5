/** What the profiler tells the probe process, and what the probe answers. */
import { z } from 'zod'
import { deploymentSchema } from '../core/deployment.ts'
import { trainerPrioritySchema } from '../device/priority.ts'

export const probeJobSchema = z.object({
  threads: z.int().min(1),
  /** Requests that go to a thread together. */
  batch: z.int().min(1),
  intraOpThreads: z.int().min(1),
  provider: z.string(),
  /** Functions under load, mixed by their shares; bodies are files, sent in turn. */
  load: z.array(
    z.object({
      deployment: deploymentSchema,
      contentType: z.string(),
      bodies: z.array(z.string()).min(1),
      share: z.number().positive(),
    }),
  ),
  /** Poisson arrivals a second; null: a closed loop on every thread. */
  rate: z.number().positive().nullable(),
  warmUpMs: z.number(),
  /** Of one of the windows that must agree. */
  windowMs: z.number(),
  /** The trainer that runs beside, which the probe lets yield as a server does; null: none does, or it is left alone. */
  trainer: z
    .object({
      pid: z.int(),
      threads: z.int().min(1),
      /** Its floor, of what it would get alone, from 0 to 1. */
      share: z.number(),
      priority: trainerPrioritySchema,
    })
    .nullable(),
  /** What p95 of run times may be, as a server watches it; null: it is not watched. Unit: ms. */
  boundMs: z.number().nullable(),
})
export type ProbeJob = z.output<typeof probeJobSchema>

const percentilesSchema = z.object({ p50: z.number(), p95: z.number(), p99: z.number() })

export const probeResultSchema = z.object({
  requests: z.int(),
  failed: z.int(),
  /** Of the first failed request, for the report. */
  error: z.string().optional(),
  /** Of the windows that the figures are of. */
  elapsedMs: z.number(),
  /** Of all windows. */
  measuredMs: z.number(),
  /** Whether those windows agreed; else time was up. */
  stable: z.boolean(),
  latencyMs: percentilesSchema,
  queueMs: percentilesSchema,
  runMs: percentilesSchema,
  /** Of the probe in all its threads, during the windows that the figures are of. */
  cpuSeconds: z.number(),
  peakMemoryBytes: z.int(),
  /** Of the accelerator, with everything loaded that the point has; null where it does not tell. */
  deviceFreeBytes: z.int().nullable(),
})
export type ProbeResult = z.output<typeof probeResultSchema>

/** What the probe says to its parent: that it has warmed up and measures, then the result, or that memory ran out. */
export const probeEventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('measuring') }),
  z.object({ type: z.literal('result'), result: probeResultSchema }),
  z.object({ type: z.literal('out-of-memory') }),
  z.object({ type: z.literal('failed'), message: z.string() }),
])
export type ProbeEvent = z.output<typeof probeEventSchema>
