/** `ANY /fn/{name}` and `/fn/{name}/*`: from an HTTP request to an invocation and back. */
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { InvocationRequest } from '../core/messages.ts'
import { bodyTooLarge } from './body.ts'
import type { HttpContext, HttpEnv } from './context.ts'

export function functionUrl({ dispatcher, config }: HttpContext): Hono<HttpEnv> {
  const app = new Hono<HttpEnv>()
  const invoke = async (c: Context<HttpEnv>, name: string) => {
    const request: InvocationRequest = {
      requestId: c.get('requestId'),
      method: c.req.method,
      url: c.req.url,
      headers: Object.entries(c.req.header()),
      body: new Uint8Array(await c.req.arrayBuffer()),
    }
    const { answer, deployment, queueMs, runMs } = await dispatcher.invoke(name, request, c.req.raw.signal)
    const headers = new Headers(answer.headers)
    headers.set('x-request-id', request.requestId)
    headers.set('x-corun-version', deployment.id)
    headers.append('server-timing', `queue;dur=${queueMs.toFixed(2)}, run;dur=${runMs.toFixed(2)}`)
    const bodyless = [204, 205, 304].includes(answer.status) || c.req.method === 'HEAD'
    // The bytes came alone over a thread border: their buffer is no SharedArrayBuffer.
    const body = bodyless ? null : (answer.body as Uint8Array<ArrayBuffer>)
    return new Response(body, { status: answer.status, headers })
  }

  for (const path of ['/:name', '/:name/*']) {
    app.all(
      path,
      async (c, next) => {
        // Before the body is read: a saturated box spends nothing on bodies that it will refuse.
        dispatcher.admit(c.req.param('name') ?? '', c.get('requestId'))
        await next()
      },
      bodyLimit({ maxSize: config.bodyLimit, onError: bodyTooLarge(config.bodyLimit) }),
      c => invoke(c, c.req.param('name') ?? ''),
    )
  }
  return app
}
