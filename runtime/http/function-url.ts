/** `ANY /fn/{name}` and `/fn/{name}/*`: from an HTTP request to an invocation and back. */
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import { CorunError } from '../core/errors.ts'
import type { InvocationRequest } from '../core/messages.ts'
import { responseOf } from './answer.ts'
import { bodyTooLarge } from './body.ts'
import type { HttpContext, HttpEnv } from './context.ts'
import { functionMethods } from './methods.ts'

export function functionUrl({ dispatcher, functions, config }: HttpContext): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const nameOf = (c: Context<HttpEnv>) => c.req.param('name') ?? ''

  /** A declared input needs a method that carries one; OPTIONS then says which. */
  const method = createMiddleware<HttpEnv>(async (c, next) => {
    const name = nameOf(c)
    const description = functions.get(name)?.deployment?.description
    const methods = description === undefined ? undefined : functionMethods(description)
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
    dispatcher.admit(nameOf(c), c.get('requestId'))
    await next()
  })

  const invoke = async (c: Context<HttpEnv>) => {
    const request: InvocationRequest = {
      requestId: c.get('requestId'),
      method: c.req.method,
      url: c.req.url,
      headers: Object.entries(c.req.header()),
      // Read whole before it waits for a slot: a slow upload holds none.
      body: new Uint8Array(await c.req.arrayBuffer()),
    }
    return responseOf(c, await dispatcher.invoke(nameOf(c), request, c.req.raw.signal))
  }

  const limited = bodyLimit({ maxSize: config.bodyLimit, onError: bodyTooLarge(config.bodyLimit) })
  for (const path of ['/:name', '/:name/*']) app.all(path, method, admitted, limited, invoke)
  return app
}
