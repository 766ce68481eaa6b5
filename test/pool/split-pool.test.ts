/** Where the provider allows one thread: what runs in it, what beside it, and that both look like one pool. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { image } from '../../runtime/core/definition.ts'
import type { Deployment } from '../../runtime/core/deployment.ts'
import type { InvocationCall, PoolReply, PoolTask } from '../../runtime/core/messages.ts'
import { type Place, placeOfTask } from '../../runtime/pool/choose-place.ts'
import type { Pool } from '../../runtime/pool/pool.ts'
import { splitPool } from '../../runtime/pool/split-pool.ts'

const test = suite('pool/split-pool')

const deployment = (id: string, models: Deployment['models']): Deployment => ({
  id,
  function: id,
  bundle: '/nowhere.mjs',
  bundleHash: 'b'.repeat(64),
  models,
  description: {
    form: 'handler',
    timeoutMs: 1000,
    input: { kind: 'bytes' },
    models: {},
  },
})
const model = {
  ...{ id: 'seeing.m', sha256: 'c'.repeat(64), file: '/nowhere.onnx', labels: [], inputs: [], outputs: [] },
}
const seeing = deployment('seeing', { m: model })
const plain = deployment('plain', {})
const call: InvocationCall = {
  request: { requestId: 'r', method: 'GET', url: 'http://box/', headers: [], body: new Uint8Array() },
  remainingMs: 1,
}
const known = new Map<string, Place>([['seeing', 'device']])
const { port1: port } = new MessageChannel()
port.close()

const tasks: [string, PoolTask, Place | undefined][] = [
  ['a load of models', { type: 'load', deployment: seeing }, 'device'],
  ['how models shall be opened', { type: 'prepare', deployment: seeing, folder: '' }, 'device'],
  ['a request that runs models', { type: 'invoke', deployment: seeing, ...call }, 'device'],
  ['a batch', { type: 'invoke-batch', deployment: seeing, calls: [call], port: port as never }, 'device'],
  ['a known name', { type: 'invoke', deployment: { id: 'seeing', function: 'seeing' }, ...call }, 'device'],
  ['a load without models', { type: 'load', deployment: plain }, 'host'],
  ['a request without models', { type: 'invoke', deployment: plain, ...call }, 'host'],
  ['code that is looked at', { type: 'describe', function: 'seeing', bundle: '' }, 'host'],
  ['a retraining', { type: 'describe-retraining', function: 'seeing', bundle: '' }, 'host'],
  [
    'a picture that is checked',
    { type: 'check-image', body: new Uint8Array(), input: image({ width: 8, height: 8 }) },
    'host',
  ],
  ['what was loaded goes where it is', { type: 'unload', deploymentId: 'seeing' }, 'device'],
  ['what was never loaded may be anywhere', { type: 'unload', deploymentId: 'other' }, undefined],
]
for (const [name, task, expected] of tasks) {
  test(`${name}: ${expected ?? 'either'}`, () => assert.is(placeOfTask(task, known), expected))
}

/** A pool that tells what it was asked. */
function fakePool(name: string, asked: string[]): Pool {
  return {
    async run(task) {
      asked.push(`${name} ${task.type}`)
      return { ok: false, error: { code: 'internal-error', message: name }, runMs: 0 } as PoolReply as never
    },
    async loadEverywhere({ id }) {
      asked.push(`${name} load ${id}`)
    },
    async unloadEverywhere(id) {
      asked.push(`${name} unload ${id}`)
    },
    expectStream(key) {
      asked.push(`${name} expects ${key}`)
      return () => asked.push(`${name} forgets ${key}`)
    },
    stats: () => ({
      threads: 2,
      busy: 1,
      restarts: 3,
      restartsBy: { exit: 2, [name === 'd' ? 'memory' : 'deadline']: 1 },
    }),
    async close() {
      asked.push(`${name} closes`)
    },
  } as Pool
}

test('each task goes to its place, and what concerns both is done in both', async () => {
  const asked: string[] = []
  const pool = splitPool({ device: fakePool('d', asked), host: fakePool('h', asked) })
  await pool.loadEverywhere(seeing)
  await pool.loadEverywhere(plain)
  await pool.run<'invoke'>({ type: 'invoke', deployment: seeing, ...call })
  await pool.run<'invoke'>({ type: 'invoke', deployment: plain, ...call })
  pool.expectStream(7, () => {})()
  await pool.unloadEverywhere('seeing')
  await pool.unloadEverywhere('never')
  await pool.close()
  assert.equal(asked, [
    'd load seeing',
    'h load plain',
    'd invoke',
    'h invoke',
    'd expects 7',
    'h expects 7',
    'd forgets 7',
    'h forgets 7',
    'd unload seeing',
    'd unload never',
    'h unload never',
    'd closes',
    'h closes',
  ])
  assert.equal(pool.stats(), {
    threads: 4,
    busy: 2,
    restarts: 6,
    restartsBy: { exit: 4, memory: 1, deadline: 1 },
  })
})

test.run()
