/** From an invocation to its HTTP response. A stream that breaks cannot say so but by ending the connection. */
import type { Context } from 'hono'
import type { Invocation } from '../dispatch/dispatcher.ts'
import type { HttpEnv } from './context.ts'

const withoutBody = new Set([204, 205, 304])

export function responseOf(c: Context<HttpEnv>, invocation: Invocation): Response {
  const { answer, deployment, queueMs, runMs } = invocation
  const headers = new Headers(answer.headers)
  headers.set('x-request-id', c.get('requestId'))
  headers.set('x-corun-version', deployment.id)
  headers.append('server-timing', `queue;dur=${queueMs.toFixed(2)}, run;dur=${runMs.toFixed(2)}`)
  // The function's word on its length is not needed, and a wrong one would break the connection.
  if (!(answer.body instanceof Uint8Array)) headers.delete('content-length')
  const { status } = answer
  if (c.req.method === 'HEAD' && answer.body instanceof Uint8Array && !headers.has('content-length')) {
    if (answer.body.byteLength > 0) headers.set('content-length', String(answer.body.byteLength))
  }
  if (withoutBody.has(status) || c.req.method === 'HEAD') {
    if (answer.body instanceof ReadableStream) void answer.body.cancel()
    return new Response(null, { status, headers })
  }
  if (answer.body instanceof ReadableStream) {
    return new Response(breakable(answer.body, c), { status, headers })
  }
  headers.delete('content-length')
  // The bytes came alone over a thread border: their buffer is no SharedArrayBuffer.
  return new Response(answer.body as Uint8Array<ArrayBuffer>, { status, headers })
}

/** The adapter would write an error as text into the middle of an answer: the connection is cut before it learns of one. */
function breakable(body: ReadableStream<Uint8Array>, c: Context<HttpEnv>): ReadableStream<Uint8Array> {
  const outgoing = c.env?.outgoing
  if (outgoing === undefined) return body
  const reader = body.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (done) controller.close()
          else controller.enqueue(value)
        } catch {
          outgoing.destroy()
          // Whoever reads has been told by the end of the connection.
          controller.close()
        }
      },
      cancel: reason => reader.cancel(reason),
    },
    { highWaterMark: 0 },
  )
}
