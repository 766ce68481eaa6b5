/** What a module defines, without its code: what the server knows of it. */
import { z } from 'zod'
import type { InputSpec } from '../core/definition.ts'
import {
  checkFunction,
  checkRetraining,
  type FunctionDescription,
  functionDescriptionSchema,
  type RetrainingDescription,
} from '../core/definition-schema.ts'
import { importBundle } from './import-bundle.ts'

const defaultTimeoutMs = 10_000

export async function describeFunction(name: string, bundle: string): Promise<FunctionDescription> {
  const { form, definition } = checkFunction(name, await importBundle(name, bundle))
  const { description, timeoutMs = defaultTimeoutMs, maxInFlight, models = {} } = definition
  return functionDescriptionSchema.parse({
    form,
    description,
    timeoutMs,
    maxInFlight,
    input: form === 'fetch' ? { kind: 'request' } : describeInput(definition.input),
    outputSchema: form === 'handler' ? jsonSchema(definition.output, 'output') : undefined,
    models,
  })
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
  return { ...checked, trainable: typeof trainable === 'function' ? 'predicate' : trainable }
}
