/** What a module defines, without its code: what the server knows of it. */
import { Cron } from 'croner'
import { z } from 'zod'
import type { InputSpec } from '../core/definition.ts'
import {
  type CheckedSchedule,
  checkFunction,
  checkRetraining,
  type FunctionDescription,
  functionDescriptionSchema,
  type RetrainingDescription,
} from '../core/definition-schema.ts'
import { CorunError } from '../core/errors.ts'
import { importBundle } from './import-bundle.ts'

const defaultTimeoutMs = 10_000

export async function describeFunction(name: string, bundle: string): Promise<FunctionDescription> {
  const { form, definition } = checkFunction(name, await importBundle(name, bundle))
  const {
    description,
    timeoutMs = defaultTimeoutMs,
    maxInFlight,
    models = {},
    auth,
    cors,
    schedule,
    drift,
  } = definition
  const described = functionDescriptionSchema.parse({
    form,
    description,
    timeoutMs,
    maxInFlight,
    input: form === 'fetch' ? { kind: 'request' } : describeInput(definition.input),
    outputSchema: form === 'handler' ? jsonSchema(definition.output, 'output') : undefined,
    models,
    auth,
    cors,
    schedule,
    drift,
    capture: form === 'handler' ? definition.capture : undefined,
    disposes: definition.dispose === undefined ? undefined : true,
    batch: form === 'handler' ? definition.batch : undefined,
  })
  if (described.schedule !== undefined) checkSchedule(`function "${name}"`, described.schedule)
  return described
}

/** Throws `invalid-definition` where croner cannot read it. */
function checkSchedule(whose: string, { cron, timeZone }: CheckedSchedule): void {
  try {
    new Cron(cron, { paused: true, ...(timeZone === undefined ? {} : { timezone: timeZone }) }).nextRun()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CorunError('invalid-definition', `${whose}: schedule "${cron}": ${why}`, { cause })
  }
}

function describeInput(input: InputSpec | undefined) {
  if (input === undefined) return { kind: 'bytes' }
  if ('kind' in input && input.kind === 'image') return input
  return { kind: 'json', schema: jsonSchema(input as z.ZodType, 'input') }
}

/** Undefined where the schema has no JSON form, such as one with a transformation at its end. */
function jsonSchema(schema: z.ZodType | undefined, io: 'input' | 'output'): unknown {
  if (schema === undefined) return undefined
  try {
    return z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  } catch {
    return undefined
  }
}

export async function describeRetraining(name: string, bundle: string): Promise<RetrainingDescription> {
  const { trainable, ...checked } = checkRetraining(name, await importBundle(name, bundle))
  if (checked.schedule !== undefined)
    checkSchedule(`retraining of "${name}"`, { cron: checked.schedule, catchUp: false })
  return { ...checked, trainable: typeof trainable === 'function' ? 'predicate' : trainable }
}
