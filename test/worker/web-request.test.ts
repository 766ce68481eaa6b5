import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { InvocationRequest } from '../../runtime/core/messages.ts'
import { toWebRequest } from '../../runtime/worker/web-request.ts'

const test = suite('worker/web-request')

const invocation = (change: Partial<InvocationRequest> = {}): InvocationRequest => ({
  requestId: 'r1',
  method: 'POST',
  url: 'http://box/fn/f/../f/a b?q=ü#x',
  headers: [
    ['content-type', 'application/json'],
    ['x-twice', 'one'],
    ['x-twice', 'two'],
  ],
  body: new TextEncoder().encode('\uFEFF{"a":"ä"}'),
  ...change,
})

/** The oracle: Node's own request with the same parts. */
const real = ({ method, url, headers, body }: InvocationRequest) =>
  new Request(
    url,
    body.byteLength > 0 && method !== 'GET' ? { method, headers, body: body.slice() } : { method, headers },
  )

const cases: [string, InvocationRequest][] = [
  ['with a body', invocation()],
  ['with an empty body', invocation({ body: new Uint8Array() })],
  ['a GET', invocation({ method: 'GET' })],
]
const readings: Record<string, (request: Request) => unknown> = {
  method: r => r.method,
  url: r => r.url,
  headers: r => [...r.headers],
  text: r => r.text(),
  json: r => r.json().catch(error => error.name),
  arrayBuffer: async r => [...new Uint8Array(await r.arrayBuffer())],
  blob: async r => [(await r.blob()).size, (await r.blob().catch(error => error)).constructor.name],
  'the body as a stream': async r => r.body && [...new Uint8Array(await new Response(r.body).arrayBuffer())],
  'no body or a stream': r => r.body === null,
  bodyUsed: async r => [r.bodyUsed, await r.text(), r.bodyUsed],
  'a second reading': async r => [await r.text(), await r.json().catch(error => error.constructor.name)],
  'the stream after a reading': async r => [await r.text(), r.body?.locked, r.bodyUsed],
  clone: async r => {
    const copy = r.clone()
    return [await r.text(), await copy.text()]
  },
  'a clone after a reading': async r => {
    await r.text()
    try {
      return [await r.clone().text()]
    } catch (error) {
      return error instanceof TypeError
    }
  },
  'the rest': r => [r.redirect, r.mode, r.credentials, r.cache, r.keepalive, r.signal.aborted],
  'its kind': r => [r instanceof Request, Object.prototype.toString.call(r), r.constructor === Request],
  'a request of it': async r => {
    const next = new Request(r)
    return [next.method, [...next.headers], await next.text(), r.bodyUsed]
  },
  'a request elsewhere with its parts': async r => {
    const next = new Request('http://elsewhere/', r)
    return [next.url, next.method, [...next.headers], await next.text()]
  },
  'changed headers': async r => {
    r.headers.set('x-more', 'yes')
    const copy = r.clone()
    r.headers.set('x-later', 'yes')
    return [copy.headers.get('x-more'), copy.headers.get('x-later'), r.headers.get('x-later')]
  },
}

for (const [kind, request] of cases) {
  for (const [what, reading] of Object.entries(readings)) {
    test(`${kind}: ${what}, as Node's own request tells it`, async () => {
      assert.equal(await reading(toWebRequest(request)), await reading(real(request)))
    })
  }
}

test('fetch takes it', async () => {
  const url = `data:text/plain,${encodeURIComponent('hello')}`
  const answer = await fetch(toWebRequest(invocation({ url, method: 'GET' })))
  assert.is(await answer.text(), 'hello')
})

test('what was read is the reader’s own', async () => {
  const request = invocation()
  new Uint8Array(await toWebRequest(request).arrayBuffer()).fill(0)
  assert.ok(request.body.some(byte => byte !== 0))
})

test.run()
