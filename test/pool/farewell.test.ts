/** What becomes of `dispose` when a thread ends, in real threads: at a recycling, a fault, an unload and a close. */
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Deployment } from '../../runtime/core/deployment.ts'
import { createFarewell } from '../../runtime/pool/farewell.ts'
import { until } from '../eventually.ts'
import { collectingLogger, textOf, workbench } from './harness.ts'

const test = suite('pool/farewell')

/** Outlives the benches. */
let folder: string
let notes = 0
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
})
test.after(() => rm(folder, { recursive: true }))

/** A function that notes the thread in which each of its hooks is called, and what it is told to do in `dispose`. */
function noting({ dispose = '', handler = `threadId` } = {}) {
  notes += 1
  const file = join(folder, String(notes))
  const source = `
    import { appendFileSync } from 'node:fs'
    import { threadId } from 'node:worker_threads'
    import { defineFunction } from 'corun'
    const note = what => appendFileSync(${JSON.stringify(file)}, what + ' ' + threadId + '\\n')
    export default defineFunction({
      init: () => note('init'),
      dispose: async () => { note('dispose'); ${dispose} },
      handler: () => { ${handler}; return threadId },
    })`
  return {
    source,
    seen: () => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').sort() : []),
  }
}
/** Every thread that called `init` has called `dispose` once. */
const settled = (lines: string[]) => {
  const threads = (what: string) =>
    lines.filter(line => line.startsWith(what)).map(line => line.split(' ')[1])
  assert.equal(threads('dispose'), threads('init'))
  return threads('init').length
}

test('a worn thread disposes of its functions before it ends, and those in the new ones live on', async () => {
  const bench = await workbench({ threads: 1, wear: { reloads: 2 } })
  const { source, seen } = noting()
  const kept = await bench.deploy('kept', source)
  await bench.deploy('next', `export default () => new Response('next')`)
  await until(() => bench.pool.stats().restartsBy.reloads === 1)
  const threadId = textOf(await bench.invoke(kept))
  const [old, ...others] = seen().filter(line => line.startsWith('dispose'))
  assert.equal(others, [])
  assert.is.not(old, `dispose ${threadId}`)
  await bench.close()
  assert.is(settled(seen()), 2)
})

test('a thread that goes after an exception that nobody caught disposes, too', async () => {
  const bench = await workbench({ threads: 1 })
  const handler = `setTimeout(() => { throw new Error('left behind') }, 0)`
  const { source, seen } = noting({ handler })
  await bench.invoke(await bench.deploy('late', source))
  await until(() => bench.pool.stats().restartsBy.exception === 1)
  assert.is(seen().filter(line => line.startsWith('dispose')).length, 1)
  await bench.close()
  settled(seen())
})

test('a close disposes in every thread, those that have unloaded it before excepted', async () => {
  const bench = await workbench({ threads: 2 })
  const kept = noting()
  const gone = noting()
  await bench.deploy('kept', kept.source)
  const { id } = await bench.deploy('gone', gone.source)
  await bench.pool.unloadEverywhere(id)
  assert.is(settled(gone.seen()), 2)
  await bench.close()
  assert.is(settled(kept.seen()), 2)
  assert.is(settled(gone.seen()), 2)
})

test('a dispose that throws or waits for ever is told with its function and thread, and the thread serves on', async () => {
  const { log, lines } = collectingLogger()
  const told: string[] = []
  const bench = await workbench({
    ...{ threads: 1, disposeLimitMs: 50, unloadSlackMs: 60_000, log, logLevel: 'error' },
    onLogLine: line => void told.push(line),
  })
  const broken = await bench.deploy('broken', noting({ dispose: `throw new Error('no luck')` }).source)
  const waits = await bench.deploy('waits', noting({ dispose: 'await new Promise(() => {})' }).source)
  const fine = noting()
  const threadId = textOf(await bench.invoke(await bench.deploy('fine', fine.source)))
  for (const { id } of [broken, waits]) await bench.pool.unloadEverywhere(id)
  await until(() => told.length === 2)
  const said = told.map(line => JSON.parse(line))
  assert.equal(
    said.map(line => [line.function, String(line.thread), line.err.message]),
    [
      ['broken', threadId, 'no luck'],
      ['waits', threadId, 'dispose did not end within 50 ms'],
    ],
  )
  assert.equal(bench.pool.stats().restartsBy, {})
  await bench.close()
  assert.is(settled(fine.seen()), 1)
  assert.equal(lines, [])
})

const loops = 'for (;;);'

test('a dispose that never gives its thread back costs that thread alone, and says whose it was', async () => {
  const { log, lines } = collectingLogger()
  const bench = await workbench({ threads: 2, disposeLimitMs: 50, unloadSlackMs: 2000, log })
  const stuck = noting({ dispose: loops })
  const fine = noting()
  const { id } = await bench.deploy('stuck', stuck.source)
  const deployed = await bench.deploy('fine', fine.source)
  await bench.pool.unloadEverywhere(id)
  assert.equal(bench.pool.stats().restartsBy, { deadline: 2 })
  const told = lines
    .map(line => JSON.parse(line))
    .filter(({ msg }) => msg === 'a deployment was not unloaded')
  assert.equal([...new Set(told.map(line => line.function))], ['stuck'])
  assert.is(new Set(told.map(line => line.thread)).size, 2)
  await until(() => bench.pool.stats().threads === 2)
  assert.match(textOf(await bench.invoke(deployed)), /^\d+$/)
  await bench.close()
})

test('a close does not wait for a dispose that never gives its thread back, and disposes elsewhere', async () => {
  const { log, lines } = collectingLogger()
  const bench = await workbench({ threads: 1, disposeLimitMs: 50, unloadSlackMs: 2000, log })
  const first = noting()
  const stuck = noting({ dispose: loops })
  const last = noting()
  for (const [name, { source }] of Object.entries({ first, stuck, last })) await bench.deploy(name, source)
  await bench.close()
  assert.is(settled(first.seen()), 1)
  assert.is(last.seen().length, 1)
  const told = lines.map(line => JSON.parse(line))
  assert.is(told.find(({ msg }) => msg.startsWith('dispose does not end'))?.function, 'stuck')
  assert.equal(told.find(({ msg }) => msg.startsWith('a thread ends without'))?.functions, ['last'])
})

test('a dispose that ends its thread is told, and what all may take together is bounded', async () => {
  const { log, lines } = collectingLogger()
  const deployments = ['a', 'b', 'c'].map(name => ({ id: `${name}1`, function: name }) as Deployment)
  const asked: string[] = []
  const farewell = (send: () => Promise<never>, totalMs: number) =>
    createFarewell({
      toDispose: () => deployments,
      send: task => {
        asked.push(task.deploymentId)
        return send()
      },
      ...{ limitMs: 60_000, totalMs, log },
    })
  await farewell(() => Promise.reject(new Error('exit')), 60_000)(7)
  await farewell(() => new Promise(() => {}), 1)(7)
  assert.equal(asked, ['a1', 'a1'])
  const told = lines.map(line => JSON.parse(line))
  assert.equal(
    told.map(({ msg, thread }) => [msg, thread]),
    [
      ['dispose ended its thread', 7],
      ['a thread ends without the dispose of these functions', 7],
      ['dispose does not end, and its thread is ended in it', 7],
      ['a thread ends without the dispose of these functions', 7],
    ],
  )
  assert.equal(told[1]?.functions, ['b', 'c'])
})

test.run()
