import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Clock } from '../../runtime/core/clock.ts'
import { CorunError } from '../../runtime/core/errors.ts'
import type { InvocationRequest } from '../../runtime/core/messages.ts'
import type { Invocation } from '../../runtime/dispatch/dispatcher.ts'
import type { CallbackMessage } from '../../runtime/invocations/callback.ts'
import { createDeliveries } from '../../runtime/invocations/deliveries.ts'
import { type Invocations, openInvocations } from '../../runtime/invocations/invocations.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { eventually } from '../eventually.ts'

const test = suite('invocations/invocations')

let folder: string
const opened: Invocations[] = []
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
})
test.after.each(async () => {
  for (const invocations of opened.splice(0)) await invocations.close()
  await rm(folder, { recursive: true, force: true })
})

const text = (body: Uint8Array) => new TextDecoder().decode(body)
const bytes = (value: string) => new TextEncoder().encode(value)
const request = (body: string): InvocationRequest => ({
  requestId: 'r-1',
  method: 'POST',
  url: 'http://box/fn/f?x=1',
  headers: [['content-type', 'text/plain']],
  body: bytes(body),
})
const answer = (body: string, type = 'text/plain'): Invocation => ({
  answer: { status: 201, headers: [['content-type', type]], body: bytes(body) },
  // What is read of a deployment is its id.
  deployment: { id: 'version-1' } as Invocation['deployment'],
  queueMs: 1,
  runMs: 2,
})

interface Options {
  invoke?: (name: string, request: InvocationRequest) => Promise<Invocation>
  slots?: number
  limit?: number
  maxBytes?: number
  ttlMs?: number
  clock?: Clock
  posted?: CallbackMessage[]
  taken?: (attempt: number) => number | string | Promise<number | string>
}

async function open(options: Options = {}): Promise<Invocations> {
  const { posted = [], taken = () => 200 } = options
  const invocations = await openInvocations({
    folder,
    dispatcher: {
      invoke: options.invoke ?? (async (_, { body }) => answer(`echo ${text(body)}`)),
      stats: () => ({ slots: options.slots ?? 2, batch: 1, running: 0, queued: 0, queueLimit: 1 }),
    },
    ttlMs: options.ttlMs ?? 60_000,
    limit: options.limit ?? 100,
    maxBytes: options.maxBytes ?? 1e6,
    maxResultBytes: 1000,
    callbackSecret: undefined,
    clock: options.clock ?? { now: () => Date.now(), monotonic: () => performance.now() },
    log: silentLogger,
    post: async (_, message) => {
      posted.push(message)
      return taken(posted.length)
    },
  })
  opened.push(invocations)
  return invocations
}

const ended = (invocations: Invocations, id: string) =>
  eventually('it has ended', async () => (await invocations.get(id)).finishedAt !== undefined)
const codeOf = (work: () => unknown) =>
  Promise.resolve()
    .then(work)
    .then(
      () => 'ok',
      (error: unknown) => (error instanceof CorunError ? error.code : String(error)),
    )

test('it runs with the request as it came, and its answer is kept', async () => {
  const seen: InvocationRequest[] = []
  const invocations = await open({
    invoke: async (_, request) => {
      seen.push(request)
      return answer('{"n":1}', 'application/json')
    },
  })
  invocations.start()
  const id = await invocations.accept('f', request('body'), {})
  await ended(invocations, id)
  assert.is(text(seen[0]?.body ?? new Uint8Array()), 'body')
  assert.is(seen[0]?.url, 'http://box/fn/f?x=1')
  assert.equal(seen[0]?.trigger, { kind: 'async' })
  const { state, result, deployment } = await invocations.get(id)
  assert.is(state, 'done')
  assert.is(deployment, 'version-1')
  assert.equal(result, {
    status: 201,
    headers: { 'content-type': 'application/json' },
    encoding: 'json',
    body: { n: 1 },
  })
})

test('what a process left behind, waiting or running, is run by the next', async () => {
  const first = await open({ slots: 1, invoke: () => new Promise(() => {}) })
  first.start()
  const running = await first.accept('f', request('one'), {})
  const waiting = await first.accept('f', request('two'), {})
  await eventually('it runs', () => readdir(folder).then(names => names.includes(`${running}.starts`)))
  opened.length = 0
  const second = await open()
  second.start()
  for (const [id, body] of [
    [running, 'echo one'],
    [waiting, 'echo two'],
  ] as const) {
    await ended(second, id)
    assert.is((await second.get(id)).result?.body, body)
  }
  // And a third finds the results.
  assert.is((await (await open()).get(running)).result?.body, 'echo one')
})

test('one that the server ended with three times is not run a fourth time', async () => {
  let runs = 0
  const never = () => {
    runs += 1
    return new Promise<Invocation>(() => {})
  }
  const first = await open({ invoke: never })
  first.start()
  const id = await first.accept('f', request(''), {})
  for (const count of [2, 3]) {
    const next = await open({ invoke: never })
    next.start()
    await eventually('it runs again', () => runs === count)
  }
  opened.length = 0
  const last = await open({ invoke: never })
  last.start()
  await ended(last, id)
  assert.is(runs, 3)
  assert.is((await last.get(id)).error?.code, 'invocation-abandoned')
})

test('a refusal of the box is no result: it is tried again', async () => {
  let runs = 0
  const invocations = await open({
    invoke: async () => {
      runs += 1
      if (runs < 3) throw new CorunError('saturated', 'full')
      return answer('at last')
    },
  })
  invocations.start()
  const id = await invocations.accept('f', request(''), {})
  await ended(invocations, id)
  assert.is((await invocations.get(id)).result?.body, 'at last')
})

test("a handler's error is the end, told without its message", async () => {
  const invocations = await open({
    invoke: async () => {
      throw new CorunError('handler-error', 'hunter2')
    },
  })
  invocations.start()
  const id = await invocations.accept('f', request(''), {})
  await ended(invocations, id)
  const view = await invocations.get(id)
  assert.is(view.state, 'failed')
  assert.is(view.error?.code, 'handler-error')
  assert.not.match(JSON.stringify(view), /hunter2/)
})

test('an answer that is too large is cut off, and said to be', async () => {
  let cancelled = false
  const invocations = await open({
    invoke: async () => ({
      ...answer(''),
      answer: {
        status: 200,
        headers: [],
        body: new ReadableStream<Uint8Array>({
          pull: controller => controller.enqueue(new Uint8Array(600)),
          cancel: () => {
            cancelled = true
          },
        }),
      },
    }),
  })
  invocations.start()
  const id = await invocations.accept('f', request(''), {})
  await ended(invocations, id)
  assert.is((await invocations.get(id)).error?.code, 'body-too-large')
  assert.ok(cancelled)
})

test('count and bytes are bounded, and results make room when their time is over', async () => {
  let now = Date.now()
  const clock = { now: () => now, monotonic: () => now }
  const invocations = await open({ limit: 1, clock })
  invocations.start()
  const id = await invocations.accept('f', request(''), {})
  assert.is(await codeOf(() => invocations.accept('f', request(''), {})), 'invocations-full')
  await ended(invocations, id)
  now += 60_000
  assert.is(await codeOf(() => invocations.get(id)), 'unknown-invocation')
  const small = await open({ maxBytes: 10 })
  assert.is(await codeOf(() => small.accept('f', request('x'.repeat(11)), {})), 'invocations-full')
})

test('a result whose time is over leaves no file', async () => {
  let now = Date.now()
  const clock = { now: () => now, monotonic: () => now }
  const invocations = await open({ ttlMs: 5, clock })
  invocations.start()
  const id = await invocations.accept('f', request(''), { callback: 'http://there/' })
  await ended(invocations, id)
  now += 5
  await eventually('nothing is left', async () => (await readdir(folder)).length === 0)
  assert.is(invocations.stats().bytes, 0)
})

test('nor does one whose time is over while its callback is noted', async () => {
  let now = Date.now()
  const posted: CallbackMessage[] = []
  const taken = () => {
    now += 1
    return 200
  }
  const clock = { now: () => now, monotonic: () => now }
  const invocations = await open({ ttlMs: 1, clock, posted, taken })
  invocations.start()
  for (let turn = 1; turn <= 20; turn += 1) {
    await invocations.accept('f', request(''), { callback: 'http://there/' })
    await eventually('its callback is taken', () => posted.length === turn)
    await eventually('nothing is left', async () => (await readdir(folder)).length === 0)
  }
})

test('what memory never holds is given up, and costs the box no more than that', async () => {
  let runs = 0
  const invocations = await open({
    invoke: async () => {
      runs += 1
      throw new CorunError('out-of-memory', 'too large')
    },
  })
  invocations.start()
  const id = await invocations.accept('f', request('x'), {})
  await ended(invocations, id)
  assert.is((await invocations.get(id)).error?.code, 'invocation-abandoned')
  assert.is(runs, 3)
})

test('a callback is not forgotten for want of room on the disk, and few are under way at a time', async () => {
  let underWay = 0
  let most = 0
  const states = new Map<string, string>()
  const deliveries = createDeliveries({
    secret: undefined,
    clock: { now: () => Date.now(), monotonic: () => 0 },
    log: silentLogger,
    post: async () => {
      most = Math.max(most, ++underWay)
      await new Promise(resolve => setTimeout(resolve, 1))
      underWay -= 1
      return 200
    },
  })
  for (let n = 0; n < 200; n += 1) {
    deliveries.add({
      id: `${n}`,
      url: 'http://there/',
      record: { version: 1, state: 'pending', attempts: 0 },
      body: async () => '{}',
      async keep({ state }) {
        states.set(`${n}`, state)
        if (n % 2) throw new CorunError('disk-full', 'no room')
      },
    })
  }
  await eventually('all are delivered', () => states.size === 200)
  assert.equal([...new Set(states.values())], ['delivered'])
  assert.ok(most > 1 && most <= 16, `${most}`)
  await deliveries.close()
})

test('a callback is tried until it is taken, with one id, and also by the next process', async () => {
  const never = new Promise<string>(() => {})
  const tried: CallbackMessage[] = []
  // Its next attempt, if it gets to one, is cut off by its end.
  const first = await open({
    posted: tried,
    taken: attempt => (attempt === 1 ? 'connect ECONNREFUSED' : never),
  })
  first.start()
  const id = await first.accept('f', request('x'), { callback: 'http://there/' })
  await eventually('a first attempt is on disk', async () => (await first.get(id)).callback?.attempts === 1)
  const { callback } = await first.get(id)
  assert.is(callback?.state, 'pending')
  assert.is(callback?.last, 'connect ECONNREFUSED')
  await first.close()
  opened.length = 0
  // Its time to be tried again has come.
  const later = Date.now() + 3_600_000
  const posted: CallbackMessage[] = []
  const second = await open({ posted, ttlMs: 1e9, clock: { now: () => later, monotonic: () => later } })
  second.start()
  await eventually('it is delivered', async () => (await second.get(id)).callback?.state === 'delivered')
  assert.ok(tried.length > 0 && tried.every(message => message.id === id))
  assert.equal(
    posted.map(message => message.id),
    [id],
  )
  const body = JSON.parse(posted[0]?.body ?? '')
  assert.is(body.result.body, 'echo x')
  assert.is((await second.get(id)).callback?.attempts, 2)
})

test('a damaged file is left alone, and keeps nobody else from running', async () => {
  const first = await open()
  const id = await first.accept('f', request('good'), {})
  await writeFile(join(folder, 'bad.request'), 'no json\n')
  const second = await open()
  second.start()
  await ended(second, id)
  assert.ok((await readdir(folder)).includes('bad.request'))
})

test.run()
