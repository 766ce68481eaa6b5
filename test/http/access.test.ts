import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventually } from '../eventually.ts'
import { type Box, openBox } from './box.ts'

const test = suite('http/access')

const adminToken = 'correct horse'
let box: Box
test.before(async () => {
  box = await openBox(
    {
      open: `export default async request => new Response(await request.text())`,
      closed: `
        import { defineFunction } from 'corun'
        export default defineFunction({
          auth: 'key',
          cors: { origins: ['https://app.example'], credentials: true, maxAge: 60 },
          fetch: (request, { trigger }) => Response.json({ trigger, seen: [...request.headers.keys()] }),
        })`,
    },
    { adminToken, corsOrigins: 'https://any.example', callbackHosts: 'there.example' },
  )
})
test.after(() => box.close())

interface Body {
  code?: string
  id: string
  key: string
  state: string
  result: { status: number; body: { trigger: object; seen: string[] } }
}
async function ask(method: string, path: string, headers: Record<string, string> = {}, body?: string) {
  const response = await fetch(`${box.url}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
  })
  const text = await response.text()
  // Each test knows which of these its answer has.
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) as Body }
}
const admin = { authorization: `Bearer ${adminToken}` }
const makeKey = async (name: string) =>
  (await ask('POST', '/api/keys', admin, JSON.stringify({ function: name }))).json()

test('a function with keys answers who has one of its own, and hands the key on to nobody', async () => {
  const { key, id } = await makeKey('closed')
  const other = await makeKey('open')
  for (const headers of [{}, { 'x-corun-key': other.key }, { 'x-corun-key': 'guess' }, admin]) {
    const refused = await ask('GET', '/fn/closed', headers)
    assert.is(refused.status, 401)
    assert.is(refused.json().code, 'invalid-key')
    assert.is(refused.headers.get('www-authenticate'), 'Bearer')
  }
  for (const headers of [{ 'x-corun-key': key }, { authorization: `Bearer ${key}` }]) {
    const answered = await ask('GET', '/fn/closed', headers)
    assert.is(answered.status, 200)
    assert.not.match(answered.text, /authorization|x-corun-key/)
  }
  assert.is((await ask('DELETE', `/api/keys/${id}`, admin)).status, 200)
  assert.is((await ask('GET', '/fn/closed', { 'x-corun-key': key })).status, 401)
})

test('keys are the business of the admin, reading too', async () => {
  assert.is((await ask('GET', '/api/keys')).status, 401)
  assert.is((await ask('POST', '/api/keys', {}, '{"function":"open"}')).status, 401)
  const { key } = await makeKey('open')
  const listed = await ask('GET', '/api/keys', admin)
  assert.is(listed.status, 200)
  assert.not.ok(listed.text.includes(key))
  assert.is((await ask('POST', '/api/keys', admin, '{"function":"No Name"}')).status, 422)
  assert.is((await ask('DELETE', '/api/keys/nobody', admin)).json().code, 'unknown-key')
})

test('a caller who does not want to wait gets a place where the result will be', async () => {
  const accepted = await ask('POST', '/fn/open/sub', { prefer: 'respond-async' }, 'later')
  assert.is(accepted.status, 202)
  assert.is(accepted.headers.get('preference-applied'), 'respond-async')
  const location = accepted.headers.get('location') ?? ''
  assert.match(location, /^\/invocations\/[\w-]+$/)
  await eventually('it is done', async () => (await ask('GET', location)).json().state === 'done')
  assert.equal((await ask('GET', location)).json().result, {
    status: 200,
    headers: { 'content-type': 'text/plain;charset=UTF-8' },
    encoding: 'text',
    body: 'later',
  })
})

test('the result of a function with keys takes a key', async () => {
  const { key } = await makeKey('closed')
  const keyed = { 'x-corun-key': key }
  assert.is((await ask('POST', '/fn/closed', { prefer: 'respond-async' })).status, 401)
  const { headers } = await ask('POST', '/fn/closed', { ...keyed, prefer: 'respond-async' })
  const location = headers.get('location') ?? ''
  assert.is((await ask('GET', location)).status, 401)
  await eventually('it is done', async () => (await ask('GET', location, keyed)).json().state === 'done')
  assert.equal((await ask('GET', location, keyed)).json().result.body.trigger, { kind: 'async' })
})

const refusedAsync: [string, string, Record<string, string>, number, string][] = [
  ['an unknown function', '/fn/nothing', {}, 404, 'unknown-function'],
  ['a callback that is no URL', '/fn/open', { 'x-corun-callback': 'there' }, 422, 'invalid-input'],
  ['a callback to another host', '/fn/open', { 'x-corun-callback': 'http://evil/' }, 422, 'invalid-input'],
]
for (const [name, path, headers, status, code] of refusedAsync) {
  test(`${name} is refused at once`, async () => {
    const refused = await ask('POST', path, { ...headers, prefer: 'respond-async' })
    assert.is(refused.status, status)
    assert.is(refused.json().code, code)
  })
}
test('an invocation that nobody asked for is unknown', async () => {
  assert.is((await ask('GET', '/invocations/none')).json().code, 'unknown-invocation')
})

const preflight = (path: string, origin: string) =>
  ask('OPTIONS', path, {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'x-mine',
  })

test('a preflight is answered by the definition, without a key', async () => {
  const { status, headers } = await preflight('/fn/closed', 'https://app.example')
  assert.is(status, 204)
  assert.is(headers.get('access-control-allow-origin'), 'https://app.example')
  assert.is(headers.get('access-control-allow-credentials'), 'true')
  assert.is(headers.get('access-control-allow-headers'), 'x-mine')
  assert.is(headers.get('access-control-max-age'), '60')
  assert.match(headers.get('vary') ?? '', /Origin/)
})

test('other origins are allowed nothing, and the option applies where a definition says nothing', async () => {
  for (const [path, origin, allowed] of [
    ['/fn/closed', 'https://any.example', null],
    ['/fn/open', 'https://any.example', 'https://any.example'],
    ['/fn/open', 'https://app.example', null],
    ['/api/functions', 'https://any.example', null],
  ] as const) {
    const asked = await preflight(path, origin)
    assert.is(asked.headers.get('access-control-allow-origin'), allowed, `${path} ${origin}`)
  }
})

test('an error can be read by the page that caused it', async () => {
  const refused = await ask('GET', '/fn/closed', { origin: 'https://app.example' })
  assert.is(refused.status, 401)
  assert.is(refused.headers.get('access-control-allow-origin'), 'https://app.example')
})

test.run()
