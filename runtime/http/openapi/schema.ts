/** From zod to the JSON Schema of OpenAPI 3.1, and what every operation shares. */
import { z } from 'zod'
import { problemSchema } from './operations.ts'

export type JsonObject = Record<string, unknown>

export function schemaOf(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  return rest
}

export const problem: JsonObject = {
  description: 'A problem (RFC 9457)',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}

export const components = (): JsonObject => ({
  schemas: { Problem: schemaOf(problemSchema, 'output') },
  securitySchemes: {
    adminToken: { type: 'http', scheme: 'bearer', description: 'When the server has an admin token' },
    functionKey: { type: 'http', scheme: 'bearer', description: 'A key of the function' },
    functionKeyHeader: { type: 'apiKey', in: 'header', name: 'x-corun-key' },
  },
})
