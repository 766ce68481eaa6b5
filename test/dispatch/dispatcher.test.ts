import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Clock, systemClock } from '../../runtime/core/clock.ts'
import type { Deployment } from '../../runtime/core/deployment.ts'
import { CorunError } from '../../runtime/core/errors.ts'
import type { PoolReply, PoolTask } from '../../runtime/core/messages.ts'
import { createDispatcher, type InvocationEnd } from '../../runtime/dispatch/dispatcher.ts'
import { eventually } from '../eventually.ts'
import { fetchDeployment } from './fetch-deployment.ts'

const test = suite('dispatch/dispatcher')

/** A dispatcher over a pool whose runs end when the test says so. */
function setUp(
  options: {
    slots?: number
    batch?: number
    queueLimit?: number
    timeoutMs?: number
    maxInFlight?: number
    /** Slots of a function `host` that keeps off the device. */
    hostSlots?: number
  } = {},
) {
  const runs: { requestId: string; end(reply?: PoolReply<'invoke'>): void }[] = []
  const ends: InvocationEnd[] = []
  const inUse: number[] = []
  let leases = 0
  const served = fetchDeployment('version-1', options)
  const hosted = { ...served, id: 'version-h', function: 'host' }
  const named = (name: string) => (name === 'host' ? hosted : served)
  const { hostSlots } = options
  const dispatcher = createDispatcher({
    slots: options.slots ?? 1,
    batch: options.batch ?? 1,
    queueLimit: options.queueLimit ?? 10,
    ...(hostSlots === undefined ? {} : { host: { slots: hostSlots, takes: ({ id }) => id === hosted.id } }),
    clock: systemClock,
    deployed: named,
    acquire: name => {
      leases += 1
      return {
        deployment: named(name),
        release: () => {
          leases -= 1
        },
      }
    },
    run: task =>
      new Promise(resolve => {
        // The stand-in pool only meets invocations.
        const { request } = task as unknown as Extract<PoolTask, { type: 'invoke' }>
        const ok: PoolReply<'invoke'> = {
          ok: true,
          result: { status: 200, headers: [], body: new Uint8Array() },
          runMs: 5,
        }
        runs.push({ requestId: request.requestId, end: (reply = ok) => resolve(reply as never) })
      }),
    onEnd: end => ends.push(end),
    onRunning: running => inUse.push(running),
  })
  const request = (requestId: string) => ({
    requestId,
    method: 'GET',
    url: 'http://box/fn/f',
    headers: [],
    body: new Uint8Array(),
  })
  const nthRun = (n: number) => nthOf(runs, n)
  return { dispatcher, runs, ends, inUse, request, nthRun, leases: () => leases }
}

/** When it is there. */
async function nthOf<Item>(items: readonly Item[], n: number): Promise<Item> {
  await eventually(`${n + 1} have begun`, () => items.length > n)
  return items[n] as Item
}

const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'resolved',
    error => (error instanceof CorunError ? error.code : error),
  )

test('requests start in the order of arrival, as slots come free', async () => {
  const { dispatcher, runs, request, nthRun } = setUp({ slots: 2 })
  const answers = ['a', 'b', 'c', 'd'].map(id => dispatcher.invoke('f', request(id)))
  await nthRun(1)
  assert.equal(
    runs.map(run => run.requestId),
    ['a', 'b'],
  )
  ;(await nthRun(1)).end()
  await nthRun(2)
  assert.equal(
    runs.map(run => run.requestId),
    ['a', 'b', 'c'],
  )
  ;(await nthRun(0)).end()
  ;(await nthRun(2)).end()
  ;(await nthRun(3)).end()
  await Promise.all(answers)
  assert.is(dispatcher.stats().running, 0)
})

test('past the bound of the queue a request is refused with a time to come back', async () => {
  const { dispatcher, request, nthRun } = setUp({ slots: 1, queueLimit: 1 })
  const first = dispatcher.invoke('f', request('a'))
  const second = dispatcher.invoke('f', request('b'))
  const error = await dispatcher.invoke('f', request('c')).catch(error => error)
  assert.is(error.code, 'saturated')
  assert.ok(error.details.retryAfter >= 1)
  ;(await nthRun(0)).end()
  ;(await nthRun(1)).end()
  await Promise.all([first, second])
})

test("a function's own limit counts its waiting and running requests", async () => {
  const { dispatcher, request, nthRun } = setUp({ slots: 1, maxInFlight: 2 })
  const answers = [dispatcher.invoke('f', request('a')), dispatcher.invoke('f', request('b'))]
  assert.is(await codeOf(dispatcher.invoke('f', request('c'))), 'function-busy')
  ;(await nthRun(0)).end()
  ;(await nthRun(1)).end()
  await Promise.all(answers)
  assert.equal(dispatcher.counters('f'), { ended: 3, failed: 1, inFlight: 0 })
})

test('a missed deadline is answered while the slot stays taken until the run ends', async () => {
  const { dispatcher, request, nthRun, leases } = setUp({ slots: 1, timeoutMs: 20 })
  assert.is(await codeOf(dispatcher.invoke('f', request('slow'))), 'deadline-exceeded')
  assert.is(dispatcher.stats().running, 1)
  assert.ok(leases() > 0, 'its deployment is held while it runs')
  ;(await nthRun(0)).end()
  await dispatcher.drain()
  assert.is(leases(), 0)
})

test('a request whose deadline passes in the queue never starts', async () => {
  const { dispatcher, runs, request, nthRun } = setUp({ slots: 1, timeoutMs: 20 })
  const both = [codeOf(dispatcher.invoke('f', request('a'))), codeOf(dispatcher.invoke('f', request('b')))]
  assert.equal(await Promise.all(both), ['deadline-exceeded', 'deadline-exceeded'])
  ;(await nthRun(0)).end()
  await dispatcher.drain()
  assert.is(runs.length, 1)
})

test('a caller who goes away while waiting is dropped, and the next one moves up', async () => {
  const { dispatcher, runs, request, nthRun } = setUp({ slots: 1 })
  const first = dispatcher.invoke('f', request('a'))
  const away = new AbortController()
  const second = codeOf(dispatcher.invoke('f', request('b'), away))
  const third = dispatcher.invoke('f', request('c'))
  away.abort()
  assert.is(await second, 'client-aborted')
  ;(await nthRun(0)).end()
  ;(await nthRun(1)).end()
  await Promise.all([first, third])
  assert.equal(
    runs.map(run => run.requestId),
    ['a', 'c'],
  )
})

test('how many slots are in use is told when that changes, and not when one request follows another', async () => {
  const { dispatcher, inUse, request, nthRun } = setUp({ slots: 1 })
  const answers = ['a', 'b'].map(id => dispatcher.invoke('f', request(id)))
  ;(await nthRun(0)).end()
  ;(await nthRun(1)).end()
  await Promise.all(answers)
  await dispatcher.drain()
  assert.equal(inUse, [1, 0])
})

test('more slots start waiting requests at once; fewer leave what runs alone', async () => {
  const { dispatcher, request, nthRun } = setUp({ slots: 1 })
  const answers = ['a', 'b', 'c'].map(id => dispatcher.invoke('f', request(id)))
  dispatcher.setLimits({ slots: 2, batch: 1 })
  await nthRun(1)
  assert.is(dispatcher.stats().running, 2)
  dispatcher.setLimits({ slots: 1, batch: 1 })
  ;(await nthRun(0)).end()
  await answers[0]
  assert.equal([dispatcher.stats().running, dispatcher.stats().queued], [1, 1])
  ;(await nthRun(1)).end()
  ;(await nthRun(2)).end()
  await Promise.all(answers)
})

test('a drain refuses the new and answers the old, those that wait included', async () => {
  const { dispatcher, request, nthRun } = setUp({ slots: 1 })
  const answers = [dispatcher.invoke('f', request('a')), dispatcher.invoke('f', request('b'))]
  const drained = dispatcher.drain()
  assert.is(await codeOf(dispatcher.invoke('f', request('late'))), 'shutting-down')
  ;(await nthRun(0)).end()
  ;(await nthRun(1)).end()
  await drained
  await Promise.all(answers)
})

test('a refusal before the body is read is reported like any other end', async () => {
  const { dispatcher, ends, request, nthRun } = setUp({ slots: 1, queueLimit: 0 })
  const first = dispatcher.invoke('f', request('a'))
  await nthRun(0)
  assert.throws(
    () => dispatcher.admit('f', 'b'),
    (error: unknown) => error instanceof CorunError && error.code === 'saturated',
  )
  ;(await nthRun(0)).end()
  await first
  assert.equal(
    ends.map(({ requestId, outcome }) => `${requestId} ${outcome}`),
    ['b saturated', 'a ok'],
  )
})

test('every request is reported once with its outcome and its times', async () => {
  const { dispatcher, ends, request, nthRun } = setUp({ slots: 1, queueLimit: 0 })
  const good = dispatcher.invoke('f', request('good'))
  await codeOf(dispatcher.invoke('f', request('refused')))
  ;(await nthRun(0)).end()
  await good
  const bad = codeOf(dispatcher.invoke('f', request('bad')))
  ;(await nthRun(1)).end({ ok: false, error: { code: 'handler-error', message: 'boom' }, runMs: 7 })
  assert.is(await bad, 'handler-error')
  assert.equal(
    ends.map(({ requestId, outcome, runMs }) => [requestId, outcome, runMs]),
    [
      ['refused', 'saturated', 0],
      ['good', 'ok', 5],
      ['bad', 'handler-error', 7],
    ],
  )
})

/** A dispatcher over a pool that takes batches: each task is ended by hand, with the answers of all its requests. */
function batching(options: {
  slots?: number
  batch: number
  queueLimit?: number
  timeoutMs?: number
  runMs?: number
  models?: Deployment['models']
  clock?: Clock
}) {
  const tasks: { ids: string[]; end(): void }[] = []
  const { runMs = 50, models = {} } = options
  const served = { ...fetchDeployment('version-1', options), models }
  const memory: number[] = []
  const sizes: number[] = []
  const dispatcher = createDispatcher({
    slots: options.slots ?? 1,
    batch: options.batch,
    queueLimit: options.queueLimit ?? 100,
    clock: options.clock ?? systemClock,
    deployed: () => served,
    acquire: () => ({ deployment: served, release: () => {} }),
    run: given =>
      new Promise(resolve => {
        const task: PoolTask = given
        const answer = (id: string): PoolReply<'invoke'> => ({
          ok: true,
          result: { status: 200, headers: [], body: new TextEncoder().encode(id) },
          runMs,
        })
        if (task.type === 'invoke') {
          const { requestId } = task.request
          tasks.push({ ids: [requestId], end: () => resolve(answer(requestId) as never) })
        }
        if (task.type === 'invoke-batch') {
          const { calls, port } = task
          const ids = calls.map(({ request }) => request.requestId)
          const end = () => {
            port.postMessage(ids.map((id, index) => ({ index, reply: answer(id) })))
            resolve({ ok: true, result: { outOfMemory: ids.includes('big') }, runMs } as never)
          }
          tasks.push({ ids, end })
        }
      }),
    onEnd: () => {},
    onBatch: size => sizes.push(size),
    onOutOfMemory: size => memory.push(size),
  })
  const ask = async (requestId: string) => {
    const request = { requestId, method: 'GET', url: 'http://box/fn/f', headers: [], body: new Uint8Array() }
    return new Response((await dispatcher.invoke('f', request)).answer.body as Uint8Array<ArrayBuffer>).text()
  }
  const nth = (n: number) => nthOf(tasks, n)
  return { dispatcher, tasks, ask, nth, memory, sizes }
}

test('what waits goes out together when a slot comes free; what finds a free slot goes at once and alone', async () => {
  const { ask, nth, sizes } = batching({ batch: 3 })
  const answers = ['a', 'b', 'c', 'd', 'e'].map(ask)
  const first = await nth(0)
  assert.equal(first.ids, ['a'])
  first.end()
  const second = await nth(1)
  assert.equal(second.ids, ['b', 'c', 'd'])
  second.end()
  const third = await nth(2)
  assert.equal(third.ids, ['e'])
  third.end()
  assert.equal(await Promise.all(answers), ['a', 'b', 'c', 'd', 'e'])
  assert.equal(sizes, [1, 3, 1])
})

test('short runs of a function without models go out together without a batch, once they are known to be short', async () => {
  const { ask, nth, sizes } = batching({ batch: 1, runMs: 0.4 })
  const known = ask('known')
  ;(await nth(0)).end()
  await known
  const answers = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(ask)
  for (const at of [1, 2, 3]) (await nth(at)).end()
  assert.equal(await Promise.all(answers), ['a', 'b', 'c', 'd', 'e', 'f', 'g'])
  assert.equal(sizes, [1, 1, 5, 1])
})

const net: Deployment['models'][string] = {
  id: 'f.net',
  sha256: '',
  file: '',
  labels: [],
  inputs: [],
  outputs: [],
}
for (const [what, options] of [
  ['long runs', { runMs: 30 }],
  ['short runs of a function with models', { runMs: 0.1, models: { net } }],
] as const) {
  test(`without a batch ${what} go out alone`, async () => {
    const { ask, nth, sizes } = batching({ batch: 1, ...options })
    const known = ask('known')
    ;(await nth(0)).end()
    await known
    const answers = ['a', 'b', 'c'].map(ask)
    for (const at of [1, 2, 3]) (await nth(at)).end()
    await Promise.all(answers)
    assert.equal(sizes, [1, 1, 1, 1])
  })
}

test('a smaller batch holds from the next one on, and memory that ran out is told with the size', async () => {
  const { dispatcher, ask, nth, memory } = batching({ batch: 4 })
  const answers = ['a', 'big', 'c', 'd', 'e', 'f'].map(ask)
  ;(await nth(0)).end()
  const second = await nth(1)
  assert.equal(second.ids, ['big', 'c', 'd', 'e'])
  dispatcher.setLimits({ slots: 1, batch: 1 })
  second.end()
  ;(await nth(2)).end()
  assert.equal(await Promise.all(answers), ['a', 'big', 'c', 'd', 'e', 'f'])
  assert.equal(memory, [4])
})

test('one who would be answered past its deadline is refused at once, and told when to come back', async () => {
  let now = 0
  const clock = { now: () => now, monotonic: () => now }
  const { dispatcher, ask, nth } = batching({ batch: 1, timeoutMs: 60_000, clock })
  const warm = 4
  for (let run = 0; run < warm; run += 1) {
    const answer = ask(`warm-${run}`)
    const task = await nth(run)
    now += 15_000
    task.end()
    await answer
  }
  assert.is(dispatcher.serviceTimes().f?.meanMs, 15_000)
  // The fourth of them waits for two and a half, and runs itself: 52.5 s.
  const inTime = ['a', 'b', 'c', 'd'].map(ask)
  // Not after a wait: nobody has been answered.
  const refused = await ask('late').catch(error => error)
  assert.instance(refused, CorunError)
  const { code, details, message } = refused as CorunError
  assert.equal([code, details?.retryAfter], ['saturated', 8])
  assert.match(message, /would be answered in 67500 ms, and its deadline is 60000 ms/)
  for (const run of inTime.keys()) (await nth(warm + run)).end()
  await Promise.all(inTime)
})

test('beside a device of one thread, functions that keep off it have slots of their own', async () => {
  const { dispatcher, runs, request, nthRun } = setUp({ slots: 1, batch: 1, hostSlots: 2, queueLimit: 1 })
  const answers = ['d1', 'd2'].map(id => dispatcher.invoke('f', request(id)))
  assert.is(await codeOf(dispatcher.invoke('f', request('d3'))), 'saturated')
  answers.push(...['h1', 'h2', 'h3'].map(id => dispatcher.invoke('host', request(id))))
  await nthRun(2)
  assert.equal(
    runs.map(run => run.requestId),
    ['d1', 'h1', 'h2'],
  )
  const { slots, running, queued, device } = dispatcher.stats()
  assert.equal({ slots, running, queued }, { slots: 3, running: 3, queued: 2 })
  assert.equal(device, { slots: 1, running: 1, queued: 1 })
  // Neither waits for the other's slots.
  ;(await nthRun(1)).end()
  assert.is((await nthRun(3)).requestId, 'h3')
  ;(await nthRun(0)).end()
  assert.is((await nthRun(4)).requestId, 'd2')
  let drained = false
  const drain = dispatcher.drain().then(() => {
    drained = true
  })
  for (const run of [2, 3]) (await nthRun(run)).end()
  await Promise.all(answers.slice(2))
  assert.not(drained)
  ;(await nthRun(4)).end()
  await Promise.all([...answers, drain])
})

test.run()
