/** `ANY /fn/{name}` and `/fn/{name}/*`: from an HTTP request to an invocation and back. */
import { type Context, Hono } from 'hono'
import { createMiddleware } from 'hono/factory'
import { CorunError } from '../core/errors.ts'
import type { InvocationRequest } from '../core/messages.ts'
import { checkCallback } from '../invocations/callback.ts'
import { responseOf } from './answer.ts'
import { limitBody } from './body.ts'
import type { HttpContext, HttpEnv } from './context.ts'
import { corsOf, crossOrigin } from './cors.ts'
import { checkKey, withoutKey } from './function-key.ts'
import { functionMethods, isForbiddenMethod, usualMethods } from './methods.ts'
import { prefersAsync } from './prefer.ts'

/** Names the URL that gets the result of an asynchronous invocation. */
const callbackHeader = 'x-corun-callback'

export function functionUrl(context: HttpContext): Hono<HttpEnv> {
  const { dispatcher, functions, keys, invocations, config } = context
  const app = new Hono<HttpEnv>()
  const nameOf = (c: Context<HttpEnv>) => c.req.param('name') ?? ''
  const describe = (c: Context<HttpEnv>) => functions.get(nameOf(c))?.deployment?.description

  const method = createMiddleware<HttpEnv>(async (c, next) => {
    const name = nameOf(c)
    const description = describe(c)
    const declared = description === undefined ? undefined : functionMethods(description)
    const methods = isForbiddenMethod(c.req.method) ? (declared ?? usualMethods) : declared
    if (methods !== undefined && !methods.includes(c.req.method)) {
      const allow = [...methods, 'OPTIONS'].join(', ')
      if (c.req.method === 'OPTIONS') return c.body(null, 204, { allow })
      throw new CorunError('method-not-allowed', `function "${name}" takes ${allow}, not ${c.req.method}`, {
        details: { allow },
      })
    }
    return next()
  })

  /** Before the body is read: a saturated box spends nothing on bodies that it will refuse. */
  const admitted = createMiddleware<HttpEnv>(async (c, next) => {
    if (describe(c)?.auth === 'key') checkKey(keys, nameOf(c), c.req.raw.headers)
    // One that does not wait has its own bound: it needs no slot now.
    if (!isAsync(c)) dispatcher.admit(nameOf(c), c.get('requestId'))
    await next()
  })

  const isAsync = (c: Context<HttpEnv>) =>
    prefersAsync(c.req.header('prefer')) && functions.get(nameOf(c)) !== undefined

  async function readRequest(c: Context<HttpEnv>): Promise<InvocationRequest> {
    const headers = headersOf(c)
    return {
      requestId: c.get('requestId'),
      method: c.req.method,
      url: c.req.url,
      headers: describe(c)?.auth === 'key' ? withoutKey(headers) : headers,
      // Read whole before it waits for a slot: a slow upload holds none.
      body: new Uint8Array(await c.req.raw.arrayBuffer()),
    }
  }

  async function accept(c: Context<HttpEnv>): Promise<Response> {
    const asked = c.req.header(callbackHeader)
    const callback = asked === undefined ? undefined : checkCallback(asked, config.callbackHosts)
    const request = await readRequest(c)
    const id = await invocations.accept(nameOf(c), request, { auth: describe(c)?.auth, callback })
    const location = `/invocations/${id}`
    c.header('location', location)
    c.header('preference-applied', 'respond-async')
    return c.json({ id, state: 'waiting', url: location }, 202)
  }

  const invoke = async (c: Context<HttpEnv>) =>
    isAsync(c)
      ? accept(c)
      : responseOf(c, await dispatcher.invoke(nameOf(c), await readRequest(c), c.req.raw))

  const cors = crossOrigin(c => describe(c)?.cors ?? corsOf(config.corsOrigins))
  const limited = limitBody(config.bodyLimit)
  for (const path of ['/:name', '/:name/*']) app.all(path, cors, method, admitted, limited, invoke)
  return app
}

/** Node has joined what came several times already; the web form of them would be made for this alone. */
function headersOf(c: Context<HttpEnv>): [string, string][] {
  const incoming = c.env?.incoming?.headers
  if (incoming === undefined) return Object.entries(c.req.header())
  return Object.entries(incoming).flatMap(([name, value]): [string, string][] =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(', ') : value]],
  )
}
