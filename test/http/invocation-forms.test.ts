import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventually } from '../eventually.ts'
import { collectingLogger } from '../pool/harness.ts'
import { type Box, openBox } from './box.ts'

const test = suite('http/invocation-forms')

const { log, lines } = collectingLogger()
let box: Box
test.before(async () => {
  box = await openBox(
    {
      'picture/function.ts': `
        import { defineFunction, image } from 'corun'
        export default defineFunction({ input: image({ width: 2, height: 2 }), handler: pixels => [...pixels.dims] })`,
      typed: `
        import { defineFunction } from 'corun'
        import { z } from 'zod'
        export default defineFunction({ input: z.object({ n: z.number() }), handler: ({ n }) => n + 1 })`,
      any: `export default async request => new Response(request.method + ' ' + new URL(request.url).pathname, {
        headers: { 'x-seen': request.method } })`,
      // What it does beside its answers is told by what it answers next, by each thread for itself.
      stream: `
        import { threadId } from 'node:worker_threads'
        import { defineFunction } from 'corun'
        let cancelled = 0
        let aborted = 0
        const text = new TextEncoder()
        export default defineFunction({
          timeoutMs: 60_000,
          async fetch(request, { signal }) {
            const kind = new URL(request.url).searchParams.get('kind')
            if (kind === 'told') return Response.json({ threadId, cancelled, aborted })
            signal.addEventListener('abort', () => { aborted += 1 })
            let turn = 0
            return new Response(new ReadableStream({
              async pull(controller) {
                turn += 1
                await new Promise(resolve => setTimeout(resolve, 1))
                if (kind === 'breaks' && turn === 3) throw new Error('in the middle')
                if (kind === 'counts' && turn === 4) return controller.close()
                if (kind === 'big') return turn > 64 ? controller.close() : controller.enqueue(new Uint8Array(65_536).fill(turn))
                controller.enqueue(text.encode(turn + '\\n'))
                if (kind === 'hangs') await new Promise(() => {})
              },
              cancel() { cancelled += 1 },
            }), { headers: { 'content-type': 'text/plain' } })
          },
        })`,
      late: `
        import { defineFunction } from 'corun'
        export default defineFunction({ timeoutMs: 2000, fetch: () => new Response(new ReadableStream({
          async start(controller) {
            await new Promise(resolve => setTimeout(resolve, 1))
            controller.enqueue(new TextEncoder().encode('begun'))
          },
        })) })`,
    },
    { bodyLimit: 100_000 },
    log,
  )
})
test.after(() => box.close())

const url = (path: string) => `${box.url}/fn/${path}`
const ask = async (path: string) => {
  const response = await fetch(url(path))
  return {
    response,
    cut: await response.text().then(
      () => undefined,
      (error: unknown) => error,
    ),
  }
}
const isIdle = () => box.system.dispatcher.stats().running === 0

interface Told {
  threadId: number
  cancelled: number
  aborted: number
}
const tellers = new Map<number, Told>()
/** In all threads that have answered so far; several calls at once come to several threads. */
async function told(): Promise<{ cancelled: number; aborted: number }> {
  const answers = Array.from(
    { length: 4 },
    async () => (await (await fetch(url('stream?kind=told'))).json()) as Told,
  )
  for (const answer of await Promise.all(answers)) tellers.set(answer.threadId, answer)
  const sum = (of: (one: Told) => number) => [...tellers.values()].reduce((all, one) => all + of(one), 0)
  return { cancelled: sum(({ cancelled }) => cancelled), aborted: sum(({ aborted }) => aborted) }
}

async function get(path: string): Promise<{ sent: ClientRequest; response: IncomingMessage }> {
  const sent = request(url(path)).end()
  sent.on('error', () => {})
  const [response] = (await once(sent, 'response')) as [IncomingMessage]
  return { sent, response }
}

test('an answer that is made piece by piece arrives whole and in order', async () => {
  const response = await fetch(url('stream?kind=counts'))
  assert.is(response.headers.get('content-length'), null)
  assert.match(response.headers.get('server-timing') ?? '', /queue;dur=.*run;dur=/)
  assert.is(await response.text(), '1\n2\n3\n')
  const big = new Uint8Array(await (await fetch(url('stream?kind=big'))).arrayBuffer())
  assert.is(big.byteLength, 64 * 65_536)
  assert.ok(big.every((value, at) => value === Math.floor(at / 65_536) + 1))
})

test('the first piece arrives while the handler still makes the rest, and its slot is held until then', async () => {
  await eventually('nobody else has one', isIdle)
  const { sent, response } = await get('stream?kind=hangs')
  const [piece] = await once(response, 'data')
  assert.is(String(piece), '1\n')
  assert.is(box.system.dispatcher.stats().running, 1)
  sent.destroy()
  await eventually('the slot is free', isIdle)
})

test('a caller who goes away stops the stream, and the handler is told', async () => {
  const before = await told()
  const { sent, response } = await get('stream?kind=endless')
  await once(response, 'data')
  sent.destroy()
  await eventually('the stream is cancelled', async () => {
    const { cancelled, aborted } = await told()
    return cancelled > before.cancelled && aborted > before.aborted
  })
  await eventually('the end is reported', () => lines.some(line => /"client-aborted"/.test(line)))
})

test('a stream that breaks cuts the connection, and the log has the error', async () => {
  let answer = await ask('stream?kind=breaks')
  // Where it has broken before its head was on its way, the whole answer says so.
  await eventually('one has begun', async () => {
    if (answer.response.status === 200) return true
    assert.equal([answer.response.status, answer.cut], [500, undefined])
    answer = await ask('stream?kind=breaks')
    return false
  })
  assert.instance(answer.cut, Error)
  await eventually('the error is logged', () =>
    lines.some(line => /in the middle/.test(line) && /handler-error/.test(line)),
  )
})

test('the deadline covers the stream', async () => {
  let before = lines.length
  let answer = await ask('late')
  // A busy machine may reach the deadline before it has begun: then the whole answer says so.
  await eventually('one has begun', async () => {
    if (answer.response.status === 200) return true
    assert.equal([answer.response.status, answer.cut], [504, undefined])
    before = lines.length
    answer = await ask('late')
    return false
  })
  assert.instance(answer.cut, Error)
  await eventually('the deadline is reported', () =>
    lines.slice(before).some(line => /"deadline-exceeded"/.test(line)),
  )
  await eventually('the slot is free', isIdle)
})

test('HEAD has the headers and no body, and does not wait for a stream', async () => {
  const head = await fetch(url('any/x'), { method: 'HEAD' })
  assert.is(head.headers.get('content-length'), String('HEAD /fn/any/x'.length))
  assert.is(await head.text(), '')
  const streamed = await fetch(url('stream?kind=endless'), { method: 'HEAD' })
  assert.is(streamed.status, 200)
  assert.is(streamed.headers.get('content-type'), 'text/plain')
  assert.is(await streamed.text(), '')
  assert.is((await fetch(`${box.url}/api/functions`, { method: 'HEAD' })).status, 200)
})

for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND']) {
  test(`a web handler takes ${method}, with its sub-path`, async () => {
    const response = await fetch(url('any/a/b'), { method })
    assert.is(await response.text(), `${method} /fn/any/a/b`)
  })
}

const methodCases: [string, string, number, string][] = [
  ['/fn/picture', 'GET', 405, 'POST, PUT, PATCH, OPTIONS'],
  ['/fn/typed/sub', 'DELETE', 405, 'POST, PUT, PATCH, OPTIONS'],
  ['/fn/picture', 'OPTIONS', 204, 'POST, PUT, PATCH, OPTIONS'],
  ['/api/functions', 'DELETE', 405, 'GET, HEAD, OPTIONS'],
  ['/api/retraining/x/run', 'GET', 405, 'POST, OPTIONS'],
  ['/api/models', 'OPTIONS', 204, 'GET, HEAD, OPTIONS'],
  ['/healthz', 'POST', 405, 'GET, HEAD, OPTIONS'],
]
for (const [path, method, status, allow] of methodCases) {
  test(`${method} ${path} answers ${status} with the methods that are allowed`, async () => {
    const response = await fetch(`${box.url}${path}`, { method })
    assert.is(response.status, status)
    assert.is(response.headers.get('allow'), allow)
    if (status === 405) assert.is(((await response.json()) as { code: string }).code, 'method-not-allowed')
  })
}

/** Sends the start of a request whose body never ends, and resolves to the status line. */
async function neverEnding(head: string, piece: string): Promise<string> {
  const { hostname, port } = new URL(box.url)
  const socket = connect(Number(port), hostname)
  socket.on('error', () => {})
  socket.write(`POST /fn/any HTTP/1.1\r\nhost: box\r\n${head}\r\n\r\n`)
  const timer = setInterval(() => socket.write(piece), 1)
  try {
    const [answer] = await once(socket, 'data')
    return String(answer).split('\r\n')[0] ?? ''
  } finally {
    clearInterval(timer)
    socket.destroy()
  }
}

test('a body over the limit is refused before it has come whole, whether or not it says its length', async () => {
  assert.match(await neverEnding('content-length: 100001', ''), / 413 /)
  const piece = `2710\r\n${'x'.repeat(10_000)}\r\n`
  assert.match(await neverEnding('transfer-encoding: chunked', piece), / 413 /)
})

test.run()
