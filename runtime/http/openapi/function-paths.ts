/** A function's URL in the OpenAPI document, from what it declares. Pure. */
import type { FunctionDescription } from '../../core/definition-schema.ts'
import type { FunctionView } from '../context.ts'
import { functionMethods } from '../methods.ts'
import { type JsonObject, problem } from './schema.ts'

const webMethods = ['get', 'post', 'put', 'patch', 'delete']
const pictureTypes = ['image/jpeg', 'image/png', 'image/webp']
const binary = {}

export function functionPath({ name, deployment }: FunctionView): [string, JsonObject] | undefined {
  if (deployment === undefined) return undefined
  const { description } = deployment
  const methods = functionMethods(description)?.map(method => method.toLowerCase()) ?? webMethods
  return [
    `/fn/${name}`,
    Object.fromEntries(methods.map(method => [method, operation(name, method, description)])),
  ]
}

function operation(name: string, method: string, description: FunctionDescription): JsonObject {
  const { description: summary = `Calls ${name}`, auth } = description
  const content = requestContent(description)
  const bodyless = content === undefined || ['get', 'delete'].includes(method)
  return {
    operationId: `${method}-fn-${name}`,
    tags: ['functions'],
    summary,
    ...(auth === 'key' ? { security: [{ functionKey: [] }, { functionKeyHeader: [] }] } : {}),
    parameters: [
      {
        name: 'prefer',
        in: 'header',
        description: 'respond-async: answer 202 at once',
        schema: { type: 'string' },
      },
    ],
    ...(bodyless ? {} : { requestBody: { required: description.input.kind === 'image', content } }),
    responses: {
      200: { description: 'What the function answers', content: responseContent(description) },
      202: {
        description: 'Accepted: the result will be at Location',
        headers: { location: { schema: { type: 'string' } } },
      },
      default: problem,
    },
  }
}

function requestContent({ input, batch }: FunctionDescription): JsonObject | undefined {
  switch (input.kind) {
    case 'image': {
      const files = { type: 'array', items: binary, ...(batch ? { maxItems: batch.max } : {}) }
      const parts = { image: binary, ...(batch ? { images: files } : {}) }
      const array = {
        type: 'array',
        items: { type: 'string', contentEncoding: 'base64' },
        maxItems: batch?.max,
      }
      return {
        ...Object.fromEntries(pictureTypes.map(type => [type, { schema: binary }])),
        'multipart/form-data': { schema: { type: 'object', properties: parts } },
        ...(batch ? { 'application/json': { schema: array } } : {}),
      }
    }
    case 'json': {
      const schema = embed(input.schema)
      return { 'application/json': { schema }, 'multipart/form-data': { schema } }
    }
    case 'bytes':
    case 'request':
      return { '*/*': { schema: binary } }
  }
}

function responseContent({ form, outputSchema, batch }: FunctionDescription): JsonObject {
  if (form === 'fetch') return { '*/*': { schema: {} } }
  const one = embed(outputSchema)
  const schema = batch ? { anyOf: [one, { type: 'array', maxItems: batch.max }] } : one
  return { 'application/json': { schema } }
}

/** What an author's schema became when it was described; anything where it has no JSON form. */
function embed(schema: unknown): JsonObject {
  if (typeof schema !== 'object' || schema === null) return {}
  const { $schema: _, ...rest } = schema as JsonObject
  return rest
}
