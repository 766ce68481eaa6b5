/** From an invocation to its HTTP response. A stream that breaks cannot say so but by ending the connection. */
import type { Context } from 'hono'
import type { CorunError } from '../core/errors.ts'
import type { Invocation } from '../dispatch/dispatcher.ts'
import type { HttpEnv } from './context.ts'

const withoutBody = new Set([204, 205, 304])

export function responseOf(c: Context<HttpEnv>, invocation: Invocation): Response {
  const { answer, deployment, queueMs, runMs } = invocation
  const own: [string, string][] = [
    ['x-request-id', c.get('requestId')],
    ...runHeaders({ deployment: deployment.id, queueMs, runMs }),
  ]
  const { status, body } = answer
  const lengths = answer.headers.filter(([name]) => name === contentLength)
  const isHead = c.req.method === 'HEAD'
  // The function's word on its length counts where no body tells it; else a wrong one would break the connection.
  if (isHead && body instanceof Uint8Array) {
    if (lengths.length > 0) own.push(...lengths)
    else if (body.byteLength > 0) own.push([contentLength, String(body.byteLength)])
  }
  const headers = joined([...answer.headers.filter(([name]) => !replaced.has(name)), ...own])
  if (withoutBody.has(status) || isHead) {
    if (body instanceof ReadableStream) void body.cancel()
    return new Response(null, { status, headers })
  }
  if (body instanceof ReadableStream) return new Response(breakable(body, c), { status, headers })
  // The bytes came alone over a thread border: their buffer is no SharedArrayBuffer.
  return new Response(body as Uint8Array<ArrayBuffer>, { status, headers })
}

/** Which version answered, and how long it waited and ran. */
export const runHeaders = ({
  deployment,
  queueMs,
  runMs,
}: NonNullable<CorunError['ran']>): [string, string][] => [
  ['x-corun-version', deployment],
  ['server-timing', `queue;dur=${queueMs.toFixed(2)}, run;dur=${runMs.toFixed(2)}`],
]

const contentLength = 'content-length'
/** What a function says of these is not passed on as it is. Those of a connection (RFC 9110, 7.6.1) are this one's. */
const replaced = new Set([
  ...[contentLength, 'x-request-id', 'x-corun-version'],
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
])

/** A plain record where every name comes once, as nearly always: `Headers` would take longer than the rest of the answer. */
function joined(pairs: [string, string][]): Record<string, string> | Headers {
  const record: Record<string, string> = Object.fromEntries(pairs)
  return Object.keys(record).length === pairs.length ? record : new Headers(pairs)
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
