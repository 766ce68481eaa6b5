/** What reaches the port and is no request that routes could see: its answer is a problem document, too. */
import { randomUUID } from 'node:crypto'
import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { RequestError } from '@hono/node-server'
import { CorunError } from '../core/errors.ts'
import { problemOf, toCorunError } from './problem.ts'

/** From an error of Node's parser: pure. */
export function parserProblem({
  code,
  message,
}: Pick<NodeJS.ErrnoException, 'code' | 'message'>): CorunError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new CorunError('headers-too-large', 'the headers of the request take more than 16 KiB')
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new CorunError('request-timeout', 'the request did not come whole in time')
  }
  return new CorunError('malformed-request', `what came is not HTTP/1.1: ${message}`)
}

/** In which an answer reaches a peer that is still sending. */
const lingerMs = 2000

/** For Node's `clientError`: writes the answer on the bare connection, which can take no other request. */
export function answerUnreadable(
  error: NodeJS.ErrnoException,
  // Node's own answer looks at this field, too: nothing else tells whether an answer has begun.
  socket: Duplex & { _httpMessage?: ServerResponse | null },
): void {
  if (error.code === 'ECONNRESET' || !socket.writable || socket._httpMessage?.headersSent) {
    socket.destroy(error)
    return
  }
  const { status, headers, body } = problemOf(parserProblem(error), randomUUID())
  const text = JSON.stringify(body)
  const lines = Object.entries({
    ...headers,
    'x-request-id': String(body.requestId),
    'content-length': String(Buffer.byteLength(text)),
    connection: 'close',
  }).map(([name, value]) => `${name}: ${value}`)
  // A peer that never closes its own side would keep it for ever.
  const gone = setTimeout(() => socket.destroy(), lingerMs).unref()
  socket.once('close', () => clearTimeout(gone))
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('\r\n')}\r\n\r\n${text}`)
}

/** For the adapter: a request that is no web request, such as one to a host that is no name. */
export function responseOfUnreadable(error: unknown): Response {
  const why =
    error instanceof RequestError ? new CorunError('malformed-request', error.message) : toCorunError(error)
  const { status, headers, body } = problemOf(why, randomUUID())
  return Response.json(body, { status, headers: { ...headers, 'x-request-id': String(body.requestId) } })
}
