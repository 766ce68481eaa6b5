import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError } from '../../runtime/core/errors.ts'
import { builtEntry } from '../../runtime/core/package-root.ts'
import type { PoolOptions } from '../../runtime/pool/pool.ts'
import { eventually, until } from '../eventually.ts'
import { codeOf, collectingLogger, fixturePool, textOf, workbench } from './harness.ts'

const test = suite('pool/pool')

type Bench = Awaited<ReturnType<typeof workbench>>
let bench: Bench

test.before(async () => {
  bench = await workbench()
})
test.after(() => bench.close())

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    error => (error instanceof CorunError ? error : undefined),
  )

/** Answers the id of the thread that it runs in; `slow` also waits for a timer. */
const whoAmI = `
  import { threadId } from 'node:worker_threads'
  export default async request => {
    if (request.url.endsWith('/slow')) await new Promise(done => setTimeout(done, 20))
    return new Response(String(threadId))
  }`
/** The ids of all threads, each seen serving. */
async function threadIds(own = bench): Promise<string[]> {
  const who = await bench.describe('who', whoAmI)
  await own.pool.loadEverywhere(who)
  const url = 'http://box/fn/who/slow'
  const replies = await Promise.all(Array.from({ length: 4 }, () => own.invoke(who, { url })))
  return [...new Set(replies.map(textOf))].sort()
}
/** The pool has its number of threads again, and they serve: answers their ids. One of them may first be on its way out. */
async function untilWhole(own = bench): Promise<string[]> {
  let ids: string[] = []
  await eventually('both threads serve', async () => {
    ids = own.pool.stats().threads === 2 ? await threadIds(own) : []
    return ids.length === 2
  })
  return ids
}

const good = `export default () => new Response('good')`

/** Sources whose request cannot succeed, and whether the thread survives it. */
const misdeeds: [string, string, boolean][] = [
  ['throws', `export default () => { throw new Error('boom') }`, true],
  ['rejects', `export default () => Promise.reject(new Error('boom'))`, true],
  ['throws nothing at all', `export default () => { throw undefined }`, true],
  ['throws an object without a prototype', `export default () => { throw Object.create(null) }`, true],
  [
    'throws an error whose message cannot be sent',
    `export default () => { throw Object.assign(new Error('x'), { message: () => {} }) }`,
    true,
  ],
  [
    'throws an error whose message throws',
    `export default () => { throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('again') } }) }`,
    true,
  ],
  ['calls process.exit', `export default () => process.exit(3)`, true],
  [
    'calls an imported exit after a while',
    `import { exit } from 'node:process'
    export default async () => { await new Promise(done => setTimeout(done, 5)); exit(0) }`,
    true,
  ],
  ['recurses endlessly', `export default function again() { return [again()].length }`, true],
  [
    'throws in a timer while its request runs',
    `export default async () => { setTimeout(() => { throw new Error('boom') }, 0); await new Promise(done => setTimeout(done, 60_000)) }`,
    false,
  ],
  ['ends its thread', `export default () => process.reallyExit(3)`, false],
  [
    'ends its thread after a while',
    `export default async () => { await new Promise(done => setTimeout(done, 5)); process.reallyExit(0) }`,
    false,
  ],
]
for (const [name, source, survives] of misdeeds) {
  test(`a handler that ${name} fails its own request, and its neighbours succeed`, async () => {
    const before = await threadIds()
    const { restarts } = bench.pool.stats()
    const bad = await bench.deploy('bad', source)
    const fine = await bench.deploy('fine', good)
    const replies = await Promise.all(
      Array.from({ length: 9 }, (_, turn) => bench.invoke(turn % 4 === 1 ? bad : fine)),
    )
    assert.equal(
      replies.map(codeOf),
      Array.from({ length: 9 }, (_, turn) => (turn % 4 === 1 ? 'handler-error' : 'ok')),
    )
    const ended = () => bench.pool.stats().restarts - restarts
    await until(() => survives || ended() > 0)
    const after = await untilWhole()
    if (survives) assert.equal(after, before)
    // One that has failed to go yet may have met the second, too.
    assert.ok(survives ? ended() === 0 : [1, 2].includes(ended()), `${ended()} restarts`)
  })
}

test('a handler that forgets a rejected promise has answered, and its thread lives on', async () => {
  const before = await threadIds()
  const { restarts } = bench.pool.stats()
  const forgetful = await bench.deploy(
    'forgetful',
    `export default () => { void Promise.reject(new Error('forgotten')); return new Response('answered') }`,
  )
  for (let turn = 0; turn < 6; turn += 1) assert.is(textOf(await bench.invoke(forgetful)), 'answered')
  assert.equal(await threadIds(), before)
  assert.is(bench.pool.stats().restarts, restarts)
})

test('what a handler left behind fails at once in its idle thread, not in the next request', async () => {
  const { log, lines } = collectingLogger()
  const own = await workbench({ threads: 1, log })
  const answered = own.latch()
  const late = await own.deploy(
    'late',
    `export default () => {
      const timer = setInterval(() => {
        if (!${answered.isOpen}) return
        clearInterval(timer)
        throw new Error('left behind')
      }, 1)
      return new Response('answered')
    }`,
  )
  const fine = await own.deploy('fine', good)
  assert.is(textOf(await own.invoke(late)), 'answered')
  await answered.open()
  await until(() => own.pool.stats().restarts > 0)
  assert.is(textOf(await own.invoke(fine)), 'good')
  assert.ok(lines.some(line => line.includes('left behind')))
  await own.close()
})

test('three requests in a row that end their thread leave a pool that serves', async () => {
  const { restarts } = bench.pool.stats()
  const bad = await bench.deploy('bad', `export default () => process.reallyExit(1)`)
  const fine = await bench.deploy('fine', good)
  const replies = await Promise.all(Array.from({ length: 3 }, () => bench.invoke(bad)))
  assert.equal([...new Set(replies.map(codeOf))], ['handler-error'])
  assert.is(textOf(await bench.invoke(fine)), 'good')
  await untilWhole()
  assert.is(bench.pool.stats().restarts - restarts, 3)
})

/** Answers with the id of the deployment that runs. */
const version = (letter: string) => `export default () => new Response('${letter}')`

test('a load everywhere while requests run loses none of them, and every thread has it', async () => {
  const loads = `globalThis.corunTestLoads = (globalThis.corunTestLoads ?? 0) + 1; export default () => new Response(String(globalThis.corunTestLoads))`
  const old = await bench.deploy('served', version('old'))
  const next = await bench.describe('next', loads)
  let running = true
  let answered = 0
  const traffic = Array.from({ length: 6 }, async () => {
    while (running) {
      assert.is(textOf(await bench.invoke(old)), 'old')
      answered += 1
    }
  })
  const before = answered
  for (let turn = 0; turn < 10; turn += 1) await bench.pool.loadEverywhere(next)
  running = false
  await Promise.all(traffic)
  assert.ok(answered > before)
  const replies = await Promise.all(Array.from({ length: 8 }, () => bench.invoke(next)))
  assert.equal([...new Set(replies.map(textOf))], ['1'])
})

test('a load waits for the thread that is busy, and the other serves meanwhile', async () => {
  const latch = bench.latch()
  const slow = await bench.deploy(
    'slow',
    `export default async () => { await ${latch.opened}; return new Response('slow') }`,
  )
  const fine = await bench.deploy('fine', good)
  const next = await bench.describe('next', version('next'))
  const order: string[] = []
  const note = (what: string) => () => void order.push(what)
  const busy = bench.invoke(slow).then(note('slow'))
  const loaded = bench.pool.loadEverywhere(next).then(note('loaded'))
  await bench.invoke(fine).then(note('fine'))
  await latch.open()
  await Promise.all([busy, loaded])
  assert.equal(order, ['fine', 'slow', 'loaded'])
})

test('with one thread a load and the requests around it all come to their end', async () => {
  const own = await workbench({ threads: 1 })
  const fine = await own.deploy('fine', good)
  const next = await own.describe('next', version('next'))
  const replies = Array.from({ length: 20 }, () => own.invoke(fine))
  const loaded = [own.pool.loadEverywhere(next), own.pool.loadEverywhere(next)]
  replies.push(...Array.from({ length: 20 }, () => own.invoke(fine)))
  await Promise.all(loaded)
  assert.is((await Promise.all(replies)).filter(({ ok }) => ok).length, 40)
  await own.close()
})

test('a load that fails is told, and the old deployment serves on', async () => {
  const old = await bench.deploy('served', version('old'))
  const next = await bench.describe('next', version('next'))
  const broken = {
    ...next,
    id: 'broken',
    models: {
      net: { id: 'next.net', sha256: '0', file: '/nowhere.onnx', labels: [], inputs: [], outputs: [] },
    },
  }
  assert.is((await failure(bench.pool.loadEverywhere(broken)))?.code, 'model-load-failed')
  assert.is(textOf(await bench.invoke(old)), 'old')
  assert.is(bench.pool.stats().busy, 0)
})

test('a load that ends its thread fails as a load, and the pool is whole again', async () => {
  const marker = JSON.stringify(join(bench.folder, 'described'))
  const killer = await bench.describe(
    'killer',
    `import fs from 'node:fs'
    if (fs.existsSync(${marker})) process.reallyExit(1)
    fs.writeFileSync(${marker}, '')
    export default () => new Response()`,
  )
  const error = await failure(bench.pool.loadEverywhere(killer))
  assert.is(error?.code, 'model-load-failed')
  assert.match(error?.message ?? '', /function "killer": its thread ended/)
  await untilWhole()
})

/** Busy for ever, until its thread ends. */
const loop = `export default () => { for (;;); }`

test('a thread that stays busy is not waited for: a load goes to the others, and it loads when it is free', async () => {
  const own = await workbench({ loadPatienceMs: 20, closeGraceMs: 0 })
  const latch = own.latch()
  const slow = await own.deploy(
    'slow',
    `export default async () => { await ${latch.opened}; return new Response('slow') }`,
  )
  const next = await own.describe('next', version('next'))
  const order: string[] = []
  const busy = own.invoke(slow).then(() => order.push('free'))
  await own.pool.loadEverywhere(next).then(() => order.push('loaded'))
  await latch.open()
  await busy
  assert.equal(order, ['loaded', 'free'])
  // Each thread gives it up once: the second one as soon as the load that waited behind the request is done.
  const unload = () => own.pool.run<'unload'>({ type: 'unload', deploymentId: next.id })
  let unloaded = 0
  await eventually('both have given it up', async () => {
    const replies = await Promise.all([unload(), unload()])
    unloaded += replies.filter(reply => reply.ok && reply.result.unloaded).length
    return unloaded >= 2
  })
  assert.is(unloaded, 2)
  await own.close()
})

test('a load that finds every thread busy for longer than it waits fails, and does not wait for ever', async () => {
  const own = await workbench({ threads: 1, loadPatienceMs: 20, closeGraceMs: 0 })
  const stuck = await own.deploy('stuck', loop)
  const next = await own.describe('next', version('next'))
  const lost = own.invoke(stuck)
  assert.is((await failure(own.pool.loadEverywhere(next)))?.code, 'saturated')
  await own.close()
  assert.is(codeOf(await lost), 'shutting-down')
})

test('a thread in an endless loop keeps nobody from unloading elsewhere', async () => {
  const own = await workbench({ closeGraceMs: 0 })
  const stuck = await own.deploy('stuck', loop)
  const mark = join(await mkdtemp(join(tmpdir(), 'corun-test-')), 'disposed')
  const noted = await own.deploy(
    'noted',
    `import { writeFileSync } from 'node:fs'
     import { defineFunction } from 'corun'
     export default defineFunction({ dispose: () => writeFileSync(${JSON.stringify(mark)}, ''), handler: () => 1 })`,
  )
  const lost = own.invoke(stuck)
  const unloading = own.pool.unloadEverywhere(noted.id)
  await until(() => existsSync(mark))
  const reply = await own.pool.run<'unload'>({ type: 'unload', deploymentId: noted.id })
  assert.equal(reply.ok && reply.result, { unloaded: false })
  await rm(dirname(mark), { recursive: true })
  await own.close()
  await Promise.all([lost, unloading])
})

/** A pool whose threads start only while the file is there. */
test('a pool may be closed at any moment of the start of its threads', async () => {
  // Ended while it links modules or loads native ones, a thread would end this process.
  for (let moment = 0; moment < 8; moment += 1) {
    const pool = fixturePool()
    await new Promise(resolve => setTimeout(resolve, moment * 20))
    await pool.close()
  }
})

async function fragilePool(options: Partial<PoolOptions> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const permit = join(folder, 'permit')
  const entry = join(folder, 'thread.cjs')
  await writeFile(
    entry,
    `if (!require('node:fs').existsSync(${JSON.stringify(permit)})) throw new Error('no permit')
    module.exports = require(${JSON.stringify(builtEntry('thread'))})`,
  )
  const pool = fixturePool({ entry, restartDelayMs: 10, ...options })
  return { pool, permit, close: () => pool.close().then(() => rm(folder, { recursive: true })) }
}
const anyTask = () => ({ type: 'unload', deploymentId: 'none' }) as const

test('a pool whose threads do not start refuses every task, those that wait and those that come', async () => {
  const { log, lines } = collectingLogger()
  const { pool, close } = await fragilePool({ log })
  const replies = await Promise.all(Array.from({ length: 5 }, () => pool.run<'unload'>(anyTask())))
  assert.equal(replies.map(codeOf), Array(5).fill('internal-error'))
  assert.is(codeOf(await pool.run<'unload'>(anyTask())), 'internal-error')
  assert.is(pool.stats().threads, 0)
  assert.ok(lines.some(line => line.includes('no permit')))
  await close()
})

test('threads that could not start are started again until they can', async () => {
  const { pool, permit, close } = await fragilePool()
  assert.is(codeOf(await pool.run<'unload'>(anyTask())), 'internal-error')
  await writeFile(permit, '')
  await until(() => pool.stats().threads === 2)
  const replies = await Promise.all(Array.from({ length: 5 }, () => pool.run<'unload'>(anyTask())))
  assert.equal(replies.map(codeOf), Array(5).fill('ok'))
  await close()
})

const endless: [string, string][] = [
  ['never ends', `for (;;); export default () => new Response()`],
  [
    'waits for ever',
    `await new Promise(() => setInterval(() => {}, 1000)); export default () => new Response()`,
  ],
]
for (const [name, source] of endless) {
  test(`a module whose top level ${name} is no function, and its thread is replaced`, async () => {
    // Nothing else is described there: it may take longer.
    const own = await workbench({ describeLimitMs: 2000 })
    // Answered by every thread: their start does not count against the limit.
    await own.pool.unloadEverywhere('none')
    const error = await failure(own.describe('endless', source))
    assert.is(error?.code, 'invalid-definition')
    assert.match(error?.message ?? '', /function "endless": its module was not loaded within 2000 ms/)
    await untilWhole(own)
    await own.close()
  })
}

test('a module that ends its thread is no function', async () => {
  const error = await failure(
    bench.describe('exits', `process.reallyExit(7); export default () => new Response()`),
  )
  assert.is(error?.code, 'invalid-definition')
  assert.match(error?.message ?? '', /function "exits": its thread ended/)
})

test('a large body that owns its buffer is moved; a small one, and one that shares its buffer, are left alone', async () => {
  const echo = await bench.deploy(
    'echo',
    `export default async request => new Response(String((await request.arrayBuffer()).byteLength))`,
  )
  const large = new Uint8Array(2 ** 20)
  assert.is(textOf(await bench.invoke(echo, { body: large })), String(2 ** 20))
  assert.is(large.byteLength, 0)
  const shared = new Uint8Array(2 ** 21).subarray(2 ** 20)
  for (const body of [new Uint8Array(5), shared]) {
    const { byteLength } = body
    assert.is(textOf(await bench.invoke(echo, { body })), String(byteLength))
    assert.is(body.byteLength, byteLength)
  }
})

test('a close waits for the requests that it has, those that wait for a thread too', async () => {
  const own = await workbench()
  const slow = await own.deploy(
    'slow',
    `export default async () => { await new Promise(done => setTimeout(done, 30)); return new Response('slow') }`,
  )
  const replies = Array.from({ length: 6 }, () => own.invoke(slow))
  const closing = own.close()
  assert.equal((await Promise.all(replies)).map(codeOf), Array(6).fill('ok'))
  await closing
  assert.is(codeOf(await own.invoke(slow)), 'shutting-down')
  assert.is((await failure(own.pool.loadEverywhere(slow)))?.code, 'shutting-down')
})

test('a close with a handler in an endless loop ends after the grace, and says so to its callers', async () => {
  const own = await workbench({ closeGraceMs: 100 })
  const loop = await own.deploy('loop', `export default () => { for (;;); }`)
  // They have ten minutes: a close that waited for them would be told apart from one on a slow machine.
  const replies = Array.from({ length: 3 }, () => own.invoke(loop, {}, 600_000))
  const startedAt = performance.now()
  await own.close()
  assert.ok(performance.now() - startedAt < 60_000, `${performance.now() - startedAt} ms`)
  assert.equal((await Promise.all(replies)).map(codeOf), Array(3).fill('shutting-down'))
})

test('two who close the pool wait for the same end', async () => {
  const own = await workbench()
  const slow = await own.deploy(
    'slow',
    `export default async () => { await new Promise(done => setTimeout(done, 50)); return new Response('slow') }`,
  )
  let answered = false
  void own.invoke(slow).then(() => {
    answered = true
  })
  void own.pool.close()
  await own.pool.close()
  assert.is(answered, true)
  await own.close()
})

test('twenty closes while models run end no thread inside the engine: the process exits with code 0', async () => {
  const entry = fileURLToPath(new URL('./close-child.ts', import.meta.url))
  for (let turn = 0; turn < 2; turn += 1) {
    const child = spawn(process.execPath, ['--import', 'tsx', entry, '10'], {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    const [code, signal] = await new Promise<[number | null, string | null]>(resolve =>
      child.once('close', (...end) => resolve(end)),
    )
    assert.equal([code, signal], [0, null], errors)
  }
})

test.run()
