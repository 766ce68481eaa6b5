/** The HTTP surface: which routes there are, and what every request and every error has in common. */
import { Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { CorunError } from '../core/errors.ts'
import { requireAdmin } from './admin.ts'
import { runHeaders } from './answer.ts'
import { apiDrift } from './api-drift.ts'
import { apiFunctions } from './api-functions.ts'
import { apiKeys } from './api-keys.ts'
import { apiModels } from './api-models.ts'
import { apiRetraining } from './api-retraining.ts'
import { apiFunctionSamples, apiSamples } from './api-samples.ts'
import { apiSchedules } from './api-schedules.ts'
import { limitBody } from './body.ts'
import type { HttpContext, HttpEnv } from './context.ts'
import { corsOf, crossOrigin } from './cors.ts'
import { dashboardPage } from './dashboard-page.ts'
import { functionUrl } from './function-url.ts'
import { invocationRoutes } from './invocation-routes.ts'
import { allowedMethods } from './methods.ts'
import { openApiDocument } from './openapi/document.ts'
import { problemOf, toCorunError } from './problem.ts'
import { requestId } from './request-id.ts'
import { loopbackHost, sameOrigin } from './same-origin.ts'

/**
 * The application over the rest of the system; it holds no port, so tests call `app.request(...)`.
 *
 * @example
 * const response = await createApp(context).request('/healthz')
 */
export function createApp(context: HttpContext): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()

  app.onError((thrown, c) => {
    const error = toCorunError(thrown)
    const { status, headers, body } = problemOf(error, c.get('requestId'))
    const fields = { requestId: c.get('requestId'), err: thrown }
    if (error.code === 'internal-error') context.log.error(fields, 'unexpected error in a route')
    if (error.code === 'disk-full') context.log.error(fields, 'the disk takes no more')
    return new Response(JSON.stringify(body), {
      status,
      headers: {
        ...headers,
        'x-request-id': c.get('requestId'),
        ...(error.ran === undefined ? {} : Object.fromEntries(runHeaders(error.ran))),
      },
    })
  })
  app.notFound(c => {
    const methods = allowedMethods(app.routes, c.req.path)
    const allow = methods.join(', ')
    if (methods.length > 0 && c.req.method === 'OPTIONS') return c.body(null, 204, { allow })
    if (methods.length > 0) {
      throw new CorunError('method-not-allowed', `${c.req.path} takes ${allow}, not ${c.req.method}`, {
        details: { allow },
      })
    }
    throw new CorunError('unknown-route', `there is nothing at ${c.req.method} ${c.req.path}`)
  })

  app.use(requestId)
  app.route('/fn', functionUrl(context))

  app.route('/invocations', invocationRoutes(context))

  const { adminToken, apiCorsOrigins } = context.config
  app.use(
    '/api/*',
    crossOrigin(() => corsOf(apiCorsOrigins)),
    ...(adminToken === undefined ? [loopbackHost(apiCorsOrigins)] : []),
    sameOrigin(apiCorsOrigins),
    requireAdmin(adminToken),
    limitBody(context.config.bodyLimit),
  )
  /** What is not known yet may be there: nobody shall take it for missing. */
  const known = createMiddleware<HttpEnv>(async (c, next) => {
    const name = c.req.param('name')
    if (
      name !== undefined &&
      context.notReady() === 'starting' &&
      context.functions.get(name) === undefined
    ) {
      throw new CorunError(
        'function-unavailable',
        `function "${name}" is not known yet: the server is starting`,
        {
          details: { retryAfter: 1 },
        },
      )
    }
    await next()
  })
  for (const room of ['functions', 'retraining']) {
    for (const path of [`/api/${room}/:name`, `/api/${room}/:name/*`]) app.use(path, known)
  }
  app.use('/api/keys/*', requireAdmin(adminToken, { reading: true }))
  app.route('/api/keys', apiKeys(context))
  app.route('/api/functions', apiFunctions(context))
  app.route('/api/functions', apiFunctionSamples(context))
  app.route('/api/samples', apiSamples(context))
  app.route('/api/models', apiModels(context))
  app.route('/api/drift', apiDrift(context))
  app.route('/api/retraining', apiRetraining(context))
  app.route('/api/schedules', apiSchedules(context))
  app.get('/api/profile', c => c.json(context.profile()))

  app.route('/', dashboardPage())
  app.get('/openapi.json', c => c.json(openApiDocument(app.routes, context.functions.list())))
  app.get('/healthz', c => c.json({ status: 'ok' }))
  app.get('/readyz', c => {
    const reason = context.notReady()
    return reason === undefined ? c.json({ status: 'ready' }) : c.json({ status: 'not ready', reason }, 503)
  })
  app.get('/metrics', async c =>
    c.body(await context.metrics.text(), 200, { 'content-type': context.metrics.contentType }),
  )
  return app
}
