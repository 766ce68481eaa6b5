/** OpenAPI 3.1 of everything there is now: made from the routes themselves, so that none is missing, and the functions. */
import { packageVersion } from '../../core/package-root.ts'
import type { FunctionView } from '../context.ts'
import type { RouteInfo } from '../methods.ts'
import { functionPath } from './function-paths.ts'
import { operations } from './operations.ts'
import { components, type JsonObject, problem, schemaOf } from './schema.ts'

export function openApiDocument(
  routes: readonly RouteInfo[],
  functions: readonly FunctionView[],
): JsonObject {
  const paths: Record<string, JsonObject> = {}
  for (const route of routes) {
    if (route.method === 'ALL' || route.path.includes('*')) continue
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] ??= {}
    paths[path][route.method.toLowerCase()] = operationOf(route)
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Corun', version: packageVersion, description: 'The functions of this box, and its API' },
    servers: [{ url: '/' }],
    paths: {
      ...paths,
      ...Object.fromEntries(functions.map(functionPath).filter(path => path !== undefined)),
    },
    components: components(),
  }
}

function operationOf({ method, path }: RouteInfo): JsonObject {
  const known = operations[`${method} ${path}`] ?? { summary: `${method} ${path}` }
  const { summary, status = 200, otherwise = {}, answer, body, query = {} } = known
  const names = [...path.matchAll(/:(\w+)/g)].map(match => match[1] ?? '')
  const text = { type: 'string' }
  const parameters = [
    ...names.map(name => ({ name, in: 'path', required: true, schema: text })),
    ...Object.entries(query).map(([name, description]) => ({ name, in: 'query', description, schema: text })),
  ]
  const needsAdmin = path.startsWith('/api/') && (method !== 'GET' || path.startsWith('/api/keys'))
  const content = answer && { 'application/json': { schema: schemaOf(answer, 'output') } }
  return {
    operationId: `${method.toLowerCase()}${path.replaceAll(/[^A-Za-z]+/g, '-').replace(/-$/, '')}`,
    summary,
    ...(needsAdmin ? { security: [{}, { adminToken: [] }] } : {}),
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body === undefined ? {} : { requestBody: { required: true, content: bodyContent(body) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries({ ...otherwise, [status]: summary }).map(([code, description]) => [
          code,
          { description, ...(content ? { content } : {}) },
        ]),
      ),
      default: problem,
    },
  }
}

const bodyContent = (body: NonNullable<(typeof operations)[string]['body']>): JsonObject =>
  body === 'image'
    ? { 'image/*': { schema: {} } }
    : { 'application/json': { schema: schemaOf(body, 'input') } }
