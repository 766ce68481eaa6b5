import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Deployment } from '../../runtime/core/deployment.ts'
import { CorunError } from '../../runtime/core/errors.ts'
import type { InvocationRequest } from '../../runtime/core/messages.ts'
import { createApp } from '../../runtime/http/app.ts'
import type { HttpContext } from '../../runtime/http/context.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { newRun } from '../../runtime/retraining/run-record.ts'

const test = suite('http/app')

const deployment: Deployment = {
  id: 'abc123',
  function: 'scene',
  bundle: '/nowhere.mjs',
  bundleHash: 'b'.repeat(64),
  description: {
    form: 'fetch',
    timeoutMs: 1000,
    input: { kind: 'request' },
    outputSchema: undefined,
    models: {},
  },
  models: {
    net: {
      id: 'scene.net',
      sha256: 'f'.repeat(64),
      file: '/m.onnx',
      labels: ['cat', 'dog'],
      inputs: [],
      outputs: [],
      prepared: { form: 'plain', why: 'it is small', weightBytes: 1000 },
    },
  },
}

interface Stub {
  apiCorsOrigins?: string[]
  adminToken?: string
  bodyLimit?: number
  admit?: () => void
  answer?: (request: InvocationRequest) => { status: number; headers: [string, string][]; body: Uint8Array }
  notReady?: string
}

function appWith(stub: Stub = {}) {
  const seen: InvocationRequest[] = []
  const stored: { label: string; body: Uint8Array }[] = []
  const started: string[] = []
  const missing = () => {
    throw new CorunError('unknown-model', 'there is no model "x"')
  }
  const context: HttpContext = {
    dispatcher: {
      admit: name => {
        if (name !== 'scene') throw new CorunError('unknown-function', `there is no function "${name}"`)
        stub.admit?.()
      },
      invoke: async (_name, request) => {
        seen.push(request)
        const answer = stub.answer?.(request) ?? {
          status: 200,
          headers: [],
          body: new TextEncoder().encode('hi'),
        }
        return { answer, deployment, queueMs: 1.5, runMs: 2.25 }
      },
      checkImage: async (_name, body) => {
        if (body[0] !== 0xff) throw new CorunError('unsupported-media-type', 'not a picture')
        return { format: 'jpeg', width: 1, height: 1 }
      },
      runSpare: async () => undefined,
      setLimits: () => {},
      counters: () => ({ ended: 0, failed: 0, inFlight: 0 }),
      serviceTimes: () => ({}),
      stats: () => ({ slots: 1, batch: 1, running: 0, queued: 0, queueLimit: 1 }),
      drain: async () => {},
    },
    functions: {
      list: () => [{ name: 'scene', state: 'ready', deployment }],
      get: name => (name === 'scene' ? { name, state: 'ready', deployment } : undefined),
      problems: () => [],
    },
    retraining: {
      list: () => [],
      get: missing,
      start: name => {
        started.push(name)
        return Promise.resolve(
          newRun({
            id: 'run-1',
            function: name,
            model: 'scene.net',
            by: 'operator',
            why: '',
            seed: 1,
            startedAt: '2026-01-01T00:00:00.000Z',
            parent: 'f'.repeat(64),
            samples: { training: 0, validation: 0, heldOut: 0, reference: 0, referenceHeldOut: 0 },
          }),
        )
      },
      pause: missing,
      resume: missing,
      cancel: missing,
    },
    models: { list: () => [], get: missing, promote: missing, rollback: missing, pin: missing },
    canaries: { list: () => [] },
    samples: {
      add: async ({ label, body }) => {
        stored.push({ label, body })
        return { id: 'sample-1', duplicate: false }
      },
      list: async () => [],
      read: missing,
      remove: async () => [],
      names: async () => [],
    },
    keys: {
      make: missing,
      list: () => [],
      revoke: missing,
      opens: () => false,
    },
    schedules: { list: () => [], get: missing, run: missing, pause: missing, resume: missing },
    invocations: { accept: missing, owner: missing, get: missing },
    feedback: async (name, requestId, label) => {
      if (requestId !== 'known') throw new CorunError('unknown-request', `request "${requestId}" of ${name}`)
      return { requestId, label, predicted: 'cat', correct: label === 'cat', sample: null }
    },
    drift: { list: () => [], get: () => undefined, reset: missing },
    metrics: { text: async () => 'corun_slots 1\n', contentType: 'text/plain' },
    profile: () => ({ reason: 'test' }),
    threads: () => 2,
    notReady: () => stub.notReady,
    config: {
      bodyLimit: stub.bodyLimit ?? 1000,
      ...(stub.adminToken === undefined ? {} : { adminToken: stub.adminToken }),
      ...(stub.apiCorsOrigins === undefined ? {} : { apiCorsOrigins: stub.apiCorsOrigins }),
    },
    log: silentLogger,
  }
  return { app: createApp(context), seen, stored, started }
}

test('a function answers with its version, its times and the request id', async () => {
  const { app, seen } = appWith()
  const response = await app.request('http://box/fn/scene/sub/path?x=1', {
    method: 'PUT',
    body: 'payload',
    headers: { 'x-request-id': 'my-id', 'content-type': 'text/plain' },
  })
  assert.is(response.status, 200)
  assert.is(await response.text(), 'hi')
  assert.is(response.headers.get('x-request-id'), 'my-id')
  assert.is(response.headers.get('x-corun-version'), 'abc123')
  assert.is(response.headers.get('server-timing'), 'queue;dur=1.50, run;dur=2.25')
  const [request] = seen
  assert.is(request?.method, 'PUT')
  assert.is(request?.url, 'http://box/fn/scene/sub/path?x=1')
  assert.is(new TextDecoder().decode(request?.body), 'payload')
})

for (const status of [204, 205, 304]) {
  test(`an answer with status ${status} has no body`, async () => {
    const { app } = appWith({ answer: () => ({ status, headers: [], body: new Uint8Array() }) })
    const response = await app.request('/fn/scene')
    assert.is(response.status, status)
    assert.is(await response.text(), '')
  })
}

test('a request id that is no plain token is replaced', async () => {
  const { app } = appWith()
  const response = await app.request('/fn/scene', { headers: { 'x-request-id': 'bad id;' } })
  assert.match(response.headers.get('x-request-id') ?? '', /^[0-9a-f-]{36}$/)
})

test('an unknown function is a problem with code and request id', async () => {
  const { app } = appWith()
  const response = await app.request('/fn/nothing', { headers: { 'x-request-id': 'r-1' } })
  assert.is(response.status, 404)
  assert.is(response.headers.get('content-type'), 'application/problem+json')
  const problem = (await response.json()) as Record<string, unknown>
  assert.is(problem.code, 'unknown-function')
  assert.is(problem.requestId, 'r-1')
  assert.is(problem.status, 404)
})

test('an unknown route is a problem too', async () => {
  const { app } = appWith()
  const response = await app.request('/nowhere')
  assert.is(response.status, 404)
  assert.is(((await response.json()) as { code: string }).code, 'unknown-route')
})

test('a saturated box says when to come back, and never reads the body', async () => {
  const { app, seen } = appWith({
    admit: () => {
      throw new CorunError('saturated', 'full', { details: { retryAfter: 3 } })
    },
  })
  const response = await app.request('/fn/scene', { method: 'POST', body: 'x' })
  assert.is(response.status, 503)
  assert.is(response.headers.get('retry-after'), '3')
  assert.is(seen.length, 0)
})

test('a body over the limit is refused by its length and by its bytes', async () => {
  const { app } = appWith({ bodyLimit: 10 })
  const declared = await app.request('/fn/scene', {
    method: 'POST',
    body: 'x'.repeat(11),
    headers: { 'content-length': '11' },
  })
  assert.is(declared.status, 413)
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('x'.repeat(11)))
      controller.close()
    },
  })
  const streamed = await app.request(
    new Request('http://box/fn/scene', { method: 'POST', body: stream, duplex: 'half' } as RequestInit),
  )
  assert.is(streamed.status, 413)
  assert.is(((await streamed.json()) as { code: string }).code, 'body-too-large')
})

test("a handler's error never shows its message to the client", async () => {
  const { app } = appWith({
    answer: () => {
      throw new CorunError('handler-error', 'the password is hunter2')
    },
  })
  const response = await app.request('/fn/scene')
  assert.is(response.status, 500)
  assert.not.match(await response.text(), /hunter2/)
})

test('an unexpected error is a code and a request id, and no more', async () => {
  const { app } = appWith({
    answer: () => {
      throw new TypeError('secret internals')
    },
  })
  const response = await app.request('/fn/scene')
  assert.is(response.status, 500)
  const text = await response.text()
  assert.not.match(text, /secret/)
  assert.is(JSON.parse(text).code, 'internal-error')
})

test('a labelled picture is stored with its own copy of the bytes', async () => {
  const { app, stored } = appWith()
  const body = new Uint8Array([0xff, 0xd8, 1, 2])
  const response = await app.request('/api/functions/scene/samples?label=cat', {
    method: 'POST',
    body,
    headers: { 'content-type': 'image/jpeg' },
  })
  assert.is(response.status, 201)
  assert.equal(stored[0]?.body, body)
})

for (const query of ['', '?label=', '?label=horse']) {
  test(`a sample with query "${query}" is refused with the labels there are`, async () => {
    const { app } = appWith()
    const response = await app.request(`/api/functions/scene/samples${query}`, {
      method: 'POST',
      body: new Uint8Array([0xff]),
      headers: { 'content-type': 'image/jpeg' },
    })
    assert.is(response.status, 422)
    const problem = (await response.json()) as Record<string, unknown>
    assert.is(problem.code, 'unknown-label')
    assert.equal(problem.labels, ['cat', 'dog'])
  })
}

test('a sample that is no picture is refused and not stored', async () => {
  const { app, stored } = appWith()
  const response = await app.request('/api/functions/scene/samples?label=cat', {
    method: 'POST',
    body: new Uint8Array([1]),
    headers: { 'content-type': 'image/jpeg' },
  })
  assert.is(response.status, 415)
  assert.is(stored.length, 0)
})

const feedback = (app: ReturnType<typeof appWith>['app'], body: unknown) =>
  app.request('/api/functions/scene/feedback', {
    method: 'POST',
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json' },
  })
const feedbackCases: [string, unknown, number, string | undefined][] = [
  ['about a known request', { requestId: 'known', label: 'dog' }, 200, undefined],
  ['about a request that nobody remembers', { requestId: 'old', label: 'dog' }, 404, 'unknown-request'],
  ['with a label that the model does not have', { requestId: 'known', label: 'horse' }, 422, 'unknown-label'],
  ['without a label', { requestId: 'known' }, 422, 'invalid-input'],
  ['that is no JSON object', [], 422, 'invalid-input'],
]
for (const [name, body, status, code] of feedbackCases) {
  test(`feedback ${name} answers ${status}`, async () => {
    const response = await feedback(appWith().app, body)
    assert.is(response.status, status)
    const answer = (await response.json()) as { code?: string; correct?: boolean }
    assert.is(answer.code, code)
    if (status === 200) assert.is(answer.correct, false)
  })
}

test('a picture of a sample is private: it needs the token even for reading', async () => {
  const { app } = appWith({ adminToken: 'correct horse' })
  const path = `/api/functions/scene/samples/${'f'.repeat(64)}`
  assert.is((await app.request(path)).status, 401)
  assert.is((await app.request('/api/functions/scene/samples')).status, 200)
})

for (const query of ['', '?before=yesterday', '?everything=true']) {
  test(`samples are not removed by "${query}": it says too little`, async () => {
    const { app } = appWith()
    const response = await app.request(`/api/functions/scene/samples${query}`, { method: 'DELETE' })
    assert.is(response.status, 422)
  })
}

const adminToken = 'correct horse'
const adminCases: [string, RequestInit, number][] = [
  ['without a token', { method: 'POST' }, 401],
  ['with a wrong token', { method: 'POST', headers: { authorization: 'Bearer wrong horse' } }, 401],
  ['with the token', { method: 'POST', headers: { authorization: `Bearer ${adminToken}` } }, 202],
]
for (const [name, init, status] of adminCases) {
  test(`a change ${name} answers ${status}`, async () => {
    const { app } = appWith({ adminToken })
    assert.is((await app.request('/api/retraining/scene/run', init)).status, status)
  })
}

test('a function says what the weights of its models take in all sessions', async () => {
  const view = await (await appWith().app.request('/api/functions/scene')).json()
  const why = 'it is small'
  assert.equal((view as { memory: object }).memory, {
    'scene.net': { weights: 'plain', why, sessions: 2, estimatedBytes: 2000 },
  })
})

test('reading needs no token, nor does a function URL', async () => {
  const { app } = appWith({ adminToken })
  assert.is((await app.request('/api/functions')).status, 200)
  assert.is((await app.request('/fn/scene', { method: 'POST', body: 'x' })).status, 200)
})

test('a page of another origin cannot start anything through the browser of the operator', async () => {
  const { app, started } = appWith()
  const response = await app.request('http://localhost:8080/api/retraining/scene/run', {
    method: 'POST',
    headers: { origin: 'https://elsewhere.example', 'content-type': 'text/plain' },
  })
  assert.is(response.status, 403)
  assert.is(((await response.json()) as { code: string }).code, 'forbidden-origin')
  assert.equal(started, [])
})

for (const [host, given, status] of [
  ['127.0.0.1:8080', {}, 200],
  ['localhost:8080', {}, 200],
  ['[::1]:8080', {}, 200],
  ['evil.example:8080', {}, 403],
  ['localhost.evil.example', {}, 403],
  ['box.example', { adminToken }, 200],
  ['box.example', { apiCorsOrigins: ['https://box.example'] }, 200],
] as const) {
  test(`the API by the name ${host} ${JSON.stringify(given)} is answered ${status}`, async () => {
    const { app } = appWith(given as Parameters<typeof appWith>[0])
    assert.is((await app.request('/api/functions', { headers: { host } })).status, status)
    assert.is((await app.request('/fn/scene', { headers: { host } })).status, 200)
  })
}

test('headers of a connection that a function sets are not passed on', async () => {
  const headers: [string, string][] = [
    ['transfer-encoding', 'chunked'],
    ['connection', 'keep-alive'],
    ['x-own', 'kept'],
  ]
  const { app } = appWith({ answer: () => ({ status: 200, headers, body: new Uint8Array(1) }) })
  const response = await app.request('/fn/scene')
  assert.equal(
    headers.map(([name]) => response.headers.get(name)),
    [null, null, 'kept'],
  )
})

test('readiness says why not', async () => {
  assert.is((await appWith({ notReady: 'starting' }).app.request('/readyz')).status, 503)
  assert.is((await appWith().app.request('/readyz')).status, 200)
  assert.is((await appWith({ notReady: 'starting' }).app.request('/healthz')).status, 200)
})

test('a promotion without a version is told what is expected', async () => {
  const { app } = appWith()
  const response = await app.request('/api/models/scene.net/promote', {
    method: 'POST',
    body: '{"version": 3}',
    headers: { 'content-type': 'application/json' },
  })
  assert.is(response.status, 422)
  assert.match(((await response.json()) as { detail: string }).detail, /expected \{ "version"/)
})

test.run()
