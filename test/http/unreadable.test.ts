import { once } from 'node:events'
import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { problemOf, toCorunError } from '../../runtime/http/problem.ts'
import { eventually } from '../eventually.ts'
import { collectingLogger } from '../pool/harness.ts'
import { type Box, openBox } from './box.ts'

const test = suite('http/unreadable')

const { log, lines } = collectingLogger()
let box: Box
test.before(async () => {
  box = await openBox(
    {
      echo: `export default async request => new Response(request.method + ' ' + (await request.text()).length)`,
      json: `
        import { defineFunction } from 'corun'
        import { z } from 'zod'
        export default defineFunction({ input: z.object({ n: z.number() }), handler: ({ n }) => n })`,
    },
    { bodyLimit: 10_000 },
    log,
  )
})
test.after(() => box.close())

/** Sends `text` as it is, the next once that is answered, and tells all that comes back until the server closes. */
async function wire(text: string, next?: { after: RegExp; text: string }): Promise<string> {
  const socket = connect(Number(new URL(box.url).port), '127.0.0.1')
  let answer = ''
  socket.setEncoding('latin1').on('data', (piece: string) => {
    answer += piece
  })
  socket.on('error', () => {})
  socket.write(text)
  if (next !== undefined) {
    await eventually('it is answered', () => next.after.test(answer))
    socket.write(next.text)
  }
  await eventually('the server closes', () => socket.closed)
  return answer
}
const get = (path: string, headers: string) => `GET ${path} HTTP/1.1\r\n${headers}Connection: close\r\n\r\n`
const unreadable: [string, string, number, string][] = [
  ['no HTTP at all', 'NONSENSE\r\n\r\n', 400, 'malformed-request'],
  [
    'more headers than fit',
    get('/fn/echo', `Host: a\r\nX: ${'a'.repeat(20_000)}\r\n`),
    431,
    'headers-too-large',
  ],
  ['no host', get('/fn/echo', ''), 400, 'malformed-request'],
  ['a host that is no name', get('/fn/echo', 'Host: a b<>\r\n'), 400, 'malformed-request'],
  [
    'two ways to end a body',
    'POST /fn/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    400,
    'malformed-request',
  ],
  [
    'a method that no handler can see',
    `TRACE /fn/echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
    405,
    'method-not-allowed',
  ],
]
for (const [what, text, status, code] of unreadable) {
  test(`${what} is answered with a problem document, and others are served on`, async () => {
    const answer = await wire(text)
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    assert.match(head, new RegExp(`^HTTP/1.1 ${status} `))
    assert.match(head.toLowerCase(), 'content-type: application/problem+json')
    const problem = JSON.parse(/\{.*\}/s.exec(body)?.[0] ?? '{}')
    assert.is(problem.code, code)
    assert.match(head.toLowerCase(), `x-request-id: ${problem.requestId}`)
    assert.is(await (await fetch(`${box.url}/fn/echo`)).text(), 'GET 0')
  })
}

test('a connection that has had an answer is told what is wrong with its next request', async () => {
  const next = { after: /GET 0$/, text: 'NONSENSE\r\n\r\n' }
  const answer = await wire('GET /fn/echo HTTP/1.1\r\nHost: a\r\n\r\n', next)
  assert.match(answer, /^HTTP\/1\.1 200 [\s\S]*GET 0HTTP\/1\.1 400 [\s\S]*malformed-request/)
})

test('no route of the API reads more than the limit, whether the body tells its length or not', async () => {
  const large = `{"requestId":"${'a'.repeat(20_000)}"}`
  for (const path of ['/api/functions/json/feedback', '/api/keys', '/api/models/a.b/promote']) {
    for (const body of [large, new Blob([large]).stream()]) {
      const request = { method: 'POST', body, duplex: 'half' } as RequestInit
      const response = await fetch(`${box.url}${path}`, request)
      assert.is(response.status, 413, path)
      assert.is(((await response.json()) as { code: string }).code, 'body-too-large')
    }
  }
})

test('a caller that goes away while it sends its body is no error of the server', async () => {
  const before = lines.length
  for (const path of ['/fn/echo', '/fn/json']) {
    const socket = connect(Number(new URL(box.url).port), '127.0.0.1')
    socket.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab`)
    await eventually('the server has the connection', () => socket.bytesWritten > 0 && !socket.connecting)
    socket.destroy()
    await once(socket, 'close')
  }
  // Behind both on the same port: by then they have been looked at.
  assert.is((await fetch(`${box.url}/fn/echo`)).status, 200)
  const { running, queued } = box.system.dispatcher.stats()
  assert.equal([running, queued], [0, 0])
  const faults = lines.slice(before).filter(line => (JSON.parse(line) as { level: number }).level >= 50)
  assert.equal(faults, [])
})

test('faults of the caller and of the disk have codes of their own', () => {
  const fault = (code: string, message: string) => Object.assign(new Error(message), { code })
  const told = (error: unknown) => {
    const { status, body } = problemOf(toCorunError(error), 'r')
    return [status, body.code]
  }
  assert.equal(told(fault('ECONNRESET', 'aborted')), [499, 'client-aborted'])
  for (const code of ['ENOSPC', 'EDQUOT', 'EFBIG'])
    assert.equal(told(fault(code, 'write')), [507, 'disk-full'])
  assert.equal(told(fault('ECONNRESET', 'read ECONNRESET')), [500, 'internal-error'])
  assert.equal(told(new Error('aborted')), [500, 'internal-error'])
})

test.run()
