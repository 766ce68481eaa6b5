/**
 * The border where an author's default export becomes known data: a check with messages that name the field,
 * and descriptions without code, which travel from the thread that imported the module to the server.
 */
import { z } from 'zod'
import { canarySchema } from './canary-schema.ts'
import { CorunError } from './errors.ts'
import { asFunction, type CheckedFunction } from './function-form.ts'
import { issuesText } from './issues-text.ts'
import { isLabelName } from './labels.ts'
import { adam, type RetrainingDefinition } from './retraining-definition.ts'
import { captureSchema, driftSchema } from './watching-schema.ts'

const channelValues = z.array(z.number()).min(1).max(3)
const callable = z.custom<(...args: never[]) => unknown>(
  value => typeof value === 'function',
  'expected a function',
)

export const imageInputSchema = z
  .object({
    kind: z.literal('image'),
    width: z.int().min(1).max(8192),
    height: z.int().min(1).max(8192),
    fit: z.enum(['cover', 'contain', 'fill']),
    position: z.enum(['center', 'left', 'right', 'top', 'bottom']),
    background: z.tuple([z.number(), z.number(), z.number()]),
    channels: z.enum(['rgb', 'bgr', 'gray']),
    mean: channelValues,
    std: channelValues.refine(values => values.every(value => value !== 0), 'std must not be 0'),
    maxPixels: z.int().min(1),
  })
  .refine(({ channels, mean, std }) => {
    const count = channels === 'gray' ? 1 : 3
    return mean.length === count && std.length === count
  }, 'mean and std need one number a channel')

const modelSpecSchema = z.object({
  path: z.string().min(1),
  labels: z.union([z.array(z.string()).min(1), z.string().min(1)]).optional(),
  outputs: z.array(z.string().min(1)).min(1).optional(),
  head: z.string().min(1).optional(),
})
export const modelNamePattern = /^[A-Za-z][A-Za-z0-9_-]{0,62}$/

const zodSchema = z.custom<z.ZodType>(
  value => typeof value === 'object' && value !== null && 'safeParse' in value && '_zod' in value,
  'expected image(...) or a zod 4 schema',
)

const scheduleFields = z.strictObject({
  cron: z.string().min(1),
  timeZone: z.string().min(1).optional(),
  catchUp: z.boolean().default(false),
})
export type CheckedSchedule = z.output<typeof scheduleFields>
const scheduleSchema = z.union([
  z
    .string()
    .min(1)
    .transform((cron): CheckedSchedule => ({ cron, catchUp: false })),
  scheduleFields,
])

const corsSchema = z
  .strictObject({
    origins: z.union([
      z.literal('*'),
      z.array(
        z.string().refine(origin => URL.canParse(origin) && new URL(origin).origin === origin, {
          error: 'expected an origin such as https://app.example',
        }),
      ),
    ]),
    headers: z.array(z.string()).optional(),
    exposeHeaders: z.array(z.string()).optional(),
    credentials: z.boolean().default(false),
    maxAge: z.int().min(0).default(600),
  })
  .refine(({ origins, credentials }) => origins !== '*' || !credentials, 'credentials need named origins')
export type CheckedCors = z.output<typeof corsSchema>

const optionFields = {
  description: z.string().optional(),
  env: z
    .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected the name of an environment variable'))
    .optional(),
  init: callable.optional(),
  dispose: callable.optional(),
  timeoutMs: z.int().min(1).max(3_600_000).optional(),
  maxInFlight: z.int().min(1).optional(),
  auth: z.literal('key').optional(),
  cors: corsSchema.optional(),
  schedule: scheduleSchema.optional(),
  drift: driftSchema.optional(),
  models: z.record(z.string().regex(modelNamePattern), modelSpecSchema).optional(),
}
const batchSchema = z.strictObject({ max: z.int().min(1).max(1024) })
const isImage = (input: unknown) => imageInputSchema.safeParse(input).success
const handlerDefinitionSchema = z
  .strictObject({
    ...optionFields,
    input: z.union([imageInputSchema, zodSchema]).optional(),
    output: zodSchema.optional(),
    batch: batchSchema.optional(),
    capture: captureSchema.optional(),
    handler: callable,
  })
  .refine(({ batch, input }) => batch === undefined || isImage(input), 'batch needs input: image(...)')
  .refine(({ capture, input }) => capture === undefined || isImage(input), 'capture needs input: image(...)')
  .refine(
    ({ schedule, input }) => schedule === undefined || !isImage(input),
    'a function that takes pictures cannot be called by a schedule',
  )
const fetchDefinitionSchema = z.strictObject({ ...optionFields, fetch: callable })

const optimizerSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('sgd'),
    learningRate: z.number().positive(),
    momentum: z.number().min(0).lt(1),
    nesterov: z.boolean(),
    weightDecay: z.number().min(0),
  }),
  z.strictObject({
    kind: z.literal('adam'),
    learningRate: z.number().positive(),
    beta1: z.number().min(0).lt(1),
    beta2: z.number().min(0).lt(1),
    epsilon: z.number().positive(),
    weightDecay: z.number().min(0),
  }),
])

const share = z.number().min(-1).max(1)
const part = z.number().min(0).max(1)
const augmentationSchema = z.strictObject({
  flip: z.boolean().optional(),
  crop: z.number().min(0).max(0.9).optional(),
  color: z.number().min(0).max(1).optional(),
  exposure: z.number().min(0).max(8).optional(),
  blur: z.number().min(0).max(32).optional(),
  noise: z.number().min(0).max(1).optional(),
})
/** Fills in every default of a retraining. */
export const retrainingDefinitionSchema = z.strictObject({
  model: z.string().regex(modelNamePattern),
  schedule: z.string().min(1).optional(),
  onDrift: z
    .union([
      z.boolean().transform(on => (on ? { cooldownHours: 24 } : undefined)),
      z.strictObject({ cooldownHours: z.number().min(0).default(24) }),
    ])
    .optional(),
  trainable: z
    .union([
      z.enum(['head', 'all']),
      z.strictObject({ lastBlocks: z.int().min(1) }),
      z.custom<(name: string) => boolean>(value => typeof value === 'function'),
    ])
    .default('all'),
  loss: z
    .enum(['softmax-cross-entropy', 'binary-cross-entropy', 'mean-squared-error'])
    .default('softmax-cross-entropy'),
  labels: z
    .union([
      z.literal('open'),
      z
        .array(
          z.string().refine(isLabelName, 'expected a label without commas, slashes and control characters'),
        )
        .min(1)
        .refine(labels => new Set(labels).size === labels.length, 'a label is there twice'),
    ])
    .optional(),
  optimizer: optimizerSchema.default(adam()),
  clipNorm: z.number().positive().optional(),
  averaging: z.number().min(0).lt(1).optional(),
  batchNormalization: z.enum(['frozen', 'batch']).default('frozen'),
  epochs: z.int().min(1).max(10_000).default(8),
  patience: z.int().min(0).default(3),
  warmUp: part.default(0.05),
  finalRate: part.default(0.1),
  labelSmoothing: z.number().min(0).lt(1).default(0),
  classWeights: z.union([z.literal('balanced'), z.record(z.string(), z.number().positive())]).optional(),
  augment: augmentationSchema.optional(),
  checkpointSteps: z.int().min(1).default(20),
  batchSize: z.int().min(1).max(1024).default(16),
  reference: z.string().min(1).optional(),
  replay: z.number().min(0).max(100).default(1),
  accept: z
    .strictObject({
      minGain: share.default(0),
      maxForgetting: share.default(0.02),
      significance: z.number().min(0).max(1).default(0.05),
      maxSlowdown: z.number().min(0).default(0.1),
      minSamples: z.int().min(1).default(20),
      minNewSamples: z.int().min(0).default(10),
    })
    .prefault({}),
  canary: canarySchema.optional(),
  seed: z.int().min(0).default(1),
})
export type CheckedRetraining = z.output<typeof retrainingDefinitionSchema>

/** Checks the default export of a function's module. Throws `invalid-definition`. */
export function checkFunction(name: string, value: unknown): CheckedFunction {
  if (typeof value === 'function') return asFunction(value)
  if (typeof value !== 'object' || value === null) {
    throw new CorunError(
      'invalid-definition',
      `function "${name}": the default export is ${value === undefined ? 'missing' : typeof value}; expected defineFunction({...}) or (request, context) => Response`,
    )
  }
  const found = asFunction(value)
  const schema = found.form === 'fetch' ? fetchDefinitionSchema : handlerDefinitionSchema
  const result = schema.safeParse(value)
  if (!result.success) {
    throw new CorunError('invalid-definition', `function "${name}": ${issuesText(result.error)}`)
  }
  return found
}

/** Checks the default export of a `retrain.ts` and fills in defaults. Throws `invalid-definition`. */
export function checkRetraining(name: string, value: unknown): CheckedRetraining {
  const result = retrainingDefinitionSchema.safeParse(value as RetrainingDefinition)
  if (!result.success) {
    throw new CorunError('invalid-definition', `retraining of "${name}": ${issuesText(result.error)}`)
  }
  const { classWeights, loss } = result.data
  if (classWeights !== undefined && loss !== 'softmax-cross-entropy') {
    throw new CorunError(
      'invalid-definition',
      `retraining of "${name}": classWeights goes with softmax-cross-entropy, and the loss is ${loss}`,
    )
  }
  return result.data
}

/** What the server knows of a function without running its code. */
export const functionDescriptionSchema = z.object({
  form: z.enum(['handler', 'fetch']),
  description: z.string().optional(),
  timeoutMs: z.number(),
  maxInFlight: z.number().optional(),
  auth: z.literal('key').optional(),
  cors: corsSchema.optional(),
  schedule: scheduleSchema.optional(),
  batch: batchSchema.optional(),
  capture: captureSchema.optional(),
  /** Left out: with the defaults. */
  drift: driftSchema.optional(),
  /** `json` carries a JSON schema where zod can make one. */
  input: z.discriminatedUnion('kind', [
    imageInputSchema,
    z.object({ kind: z.literal('json'), schema: z.unknown() }),
    z.object({ kind: z.literal('bytes') }),
    z.object({ kind: z.literal('request') }),
  ]),
  outputSchema: z.unknown().optional(),
  /** Whether it has a `dispose`. */
  disposes: z.boolean().optional(),
  models: z.record(z.string(), modelSpecSchema),
})
export type FunctionDescription = z.output<typeof functionDescriptionSchema>

/** A retraining without its code: `trainable` by predicate is only named. */
export const retrainingDescriptionSchema = retrainingDefinitionSchema.extend({
  trainable: z.union([z.enum(['head', 'all', 'predicate']), z.strictObject({ lastBlocks: z.int() })]),
})
export type RetrainingDescription = z.output<typeof retrainingDescriptionSchema>
