import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../runtime/core/clock.ts'
import type { Deployment } from '../../runtime/core/deployment.ts'
import { CorunError } from '../../runtime/core/errors.ts'
import type { PoolReply, PoolTask } from '../../runtime/core/messages.ts'
import { createDispatcher, type InvocationEnd } from '../../runtime/dispatch/dispatcher.ts'

const test = suite('dispatch/dispatcher')

function deployment(options: { timeoutMs?: number; maxInFlight?: number } = {}): Deployment {
  return {
    id: 'version-1',
    function: 'f',
    bundle: '/nowhere.mjs',
    bundleHash: 'b'.repeat(64),
    models: {},
    description: {
      form: 'fetch',
      timeoutMs: options.timeoutMs ?? 10_000,
      ...(options.maxInFlight === undefined ? {} : { maxInFlight: options.maxInFlight }),
      input: { kind: 'request' },
      outputSchema: undefined,
      models: {},
    },
  }
}

/** A dispatcher over a pool whose runs end when the test says so. */
function setUp(
  options: { slots?: number; queueLimit?: number; timeoutMs?: number; maxInFlight?: number } = {},
) {
  const runs: { requestId: string; end(reply?: PoolReply<'invoke'>): void }[] = []
  const ends: InvocationEnd[] = []
  let leases = 0
  const waitingForRun: (() => void)[] = []
  const served = deployment(options)
  const dispatcher = createDispatcher({
    slots: options.slots ?? 1,
    queueLimit: options.queueLimit ?? 10,
    clock: systemClock,
    deployed: () => served,
    acquire: () => {
      leases += 1
      return {
        deployment: served,
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
        for (const resume of waitingForRun.splice(0)) resume()
      }),
    onEnd: end => ends.push(end),
  })
  const request = (requestId: string) => ({
    requestId,
    method: 'GET',
    url: 'http://box/fn/f',
    headers: [],
    body: new Uint8Array(),
  })
  const nthRun = async (n: number) => {
    while (runs.length <= n) await new Promise<void>(resolve => waitingForRun.push(resolve))
    const run = runs[n]
    if (run === undefined) throw new Error('no such run')
    return run
  }
  return { dispatcher, runs, ends, request, nthRun, leases: () => leases }
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
  assert.is(leases(), 1)
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
  const second = codeOf(dispatcher.invoke('f', request('b'), away.signal))
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

test('more slots start waiting requests at once; fewer leave what runs alone', async () => {
  const { dispatcher, request, nthRun } = setUp({ slots: 1 })
  const answers = ['a', 'b', 'c'].map(id => dispatcher.invoke('f', request(id)))
  dispatcher.setSlots(2)
  await nthRun(1)
  assert.is(dispatcher.stats().running, 2)
  dispatcher.setSlots(1)
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

test.run()
