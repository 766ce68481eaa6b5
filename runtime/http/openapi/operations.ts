/** What `/openapi.json` says of the API's routes beyond that they exist: answers and bodies as zod schemas. */
import { z } from 'zod'
import { canaryViewSchema } from '../../canary/record.ts'
import { invocationViewSchema } from '../../invocations/record.ts'
import { keyInfoSchema } from '../../keys/key-store.ts'
import { runRecordSchema } from '../../retraining/run-record.ts'
import { scheduleViewSchema } from '../../schedule/function-schedules.ts'
import { newKeySchema } from '../api-keys.ts'
import { promotionSchema } from '../api-models.ts'

export interface Operation {
  summary: string
  /** Status and body of success. Default 200. */
  status?: number
  /** Other statuses that have the same answer, and what they mean. */
  otherwise?: Record<number, string>
  answer?: z.ZodType
  body?: z.ZodType | 'image'
  query?: Record<string, string>
}

/** Members that later versions add are no break: the schemas of views are open. */
const functionView = z.looseObject({
  name: z.string(),
  url: z.string(),
  state: z.string(),
  version: z.string().optional(),
  description: z.string().optional(),
  timeoutMs: z.number().optional(),
  maxInFlight: z.number().optional(),
  auth: z.literal('key').optional(),
  models: z.array(z.looseObject({ name: z.string(), id: z.string(), version: z.string() })),
  lastError: z.looseObject({ code: z.string(), message: z.string(), at: z.string() }).optional(),
  counters: z.looseObject({ ended: z.int(), failed: z.int(), inFlight: z.int() }),
})
const modelView = z.looseObject({
  id: z.string(),
  base: z.string(),
  current: z.string(),
  canary: z.string().nullable(),
  trial: canaryViewSchema.nullable().optional(),
  versions: z.array(z.looseObject({ state: z.string() })),
  history: z.array(z.looseObject({})),
})
const retrainingView = z.looseObject({
  function: z.string(),
  model: z.string(),
  schedule: z.string().nullable(),
  nextRunAt: z.string().nullable(),
  active: runRecordSchema.nullable(),
  runs: z.array(runRecordSchema),
})
const sample = z.looseObject({ id: z.string(), label: z.string(), duplicate: z.boolean() })

export const problemSchema = z.looseObject({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string().optional(),
  hint: z.string().optional(),
  requestId: z.string(),
})

const entryProblem = z.object({ entry: z.string(), code: z.string(), message: z.string() })

/** By method and path as the router has them. A route that is not here is still in the document. */
export const operations: Record<string, Operation> = {
  'GET /invocations/:id': {
    summary: 'An asynchronous invocation and its result',
    answer: invocationViewSchema,
  },
  'GET /api/functions': {
    summary: 'What is deployed',
    answer: z.object({ functions: z.array(functionView), problems: z.array(entryProblem) }),
  },
  'GET /api/functions/:name': { summary: 'One function', answer: functionView },
  'POST /api/functions/:name/samples': {
    summary: 'Keep a labelled picture',
    status: 201,
    otherwise: { 200: 'It is there already' },
    answer: sample,
    body: 'image',
    query: { label: 'The right label' },
  },
  'POST /api/functions/:name/feedback': {
    summary: 'The right label of an earlier request; its picture was kept and is a sample now',
    status: 201,
    otherwise: { 200: 'Its picture was not kept' },
    answer: z.object({
      requestId: z.string(),
      label: z.string(),
      predicted: z.string(),
      correct: z.boolean(),
      sample: z.string().nullable(),
    }),
    body: z.strictObject({ requestId: z.string(), label: z.string() }),
  },
  'GET /api/models': {
    summary: 'Models and their versions',
    answer: z.object({ models: z.array(modelView) }),
  },
  'GET /api/models/:id': { summary: 'One model: versions and lineage', answer: modelView },
  'POST /api/models/:id/promote': {
    summary: 'Let another version serve',
    answer: modelView,
    body: promotionSchema,
  },
  'POST /api/models/:id/rollback': { summary: 'Let the version before serve', answer: modelView },
  'GET /api/retraining': {
    summary: 'Retrainings: schedules, runs and progress',
    answer: z.object({ retraining: z.array(retrainingView) }),
  },
  'GET /api/retraining/:name': { summary: 'One retraining', answer: retrainingView },
  'POST /api/retraining/:name/run': { summary: 'Start a run', status: 202, answer: runRecordSchema },
  'POST /api/retraining/:name/pause': { summary: 'Pause the run between two steps' },
  'POST /api/retraining/:name/resume': { summary: 'Go on with a paused run' },
  'POST /api/retraining/:name/cancel': { summary: 'End the run without a promotion' },
  'GET /api/schedules': {
    summary: 'Functions that the clock calls',
    answer: z.object({ schedules: z.array(scheduleViewSchema) }),
  },
  'GET /api/schedules/:name': { summary: 'One schedule', answer: scheduleViewSchema },
  'POST /api/schedules/:name/run': { summary: 'Call it now', status: 202, answer: scheduleViewSchema },
  'POST /api/schedules/:name/pause': { summary: 'Call it no more', answer: scheduleViewSchema },
  'POST /api/schedules/:name/resume': { summary: 'Call it again', answer: scheduleViewSchema },
  'GET /api/keys': { summary: 'Keys of functions', answer: z.object({ keys: z.array(keyInfoSchema) }) },
  'POST /api/keys': {
    summary: 'Make a key; it is in this answer and nowhere else',
    status: 201,
    answer: keyInfoSchema.extend({ key: z.string() }),
    body: newKeySchema,
  },
  'DELETE /api/keys/:id': { summary: 'Revoke a key', answer: keyInfoSchema },
  'GET /api/profile': {
    summary: 'The limits in force, and why these',
    answer: z.looseObject({ reason: z.string() }),
  },
  'GET /healthz': { summary: 'Whether the server lives', answer: z.object({ status: z.literal('ok') }) },
  'GET /readyz': { summary: 'Whether it is ready', answer: z.looseObject({ status: z.string() }) },
  'GET /metrics': { summary: 'Metrics in the text format of Prometheus' },
  'GET /openapi.json': { summary: 'This document' },
}
