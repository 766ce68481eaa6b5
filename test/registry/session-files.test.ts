import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { PoolTask } from '../../runtime/core/messages.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import type { Pool } from '../../runtime/pool/pool.ts'
import { createRegistry } from '../../runtime/registry/registry.ts'
import { loadNetwork } from '../../scripts/oracle/load-network.ts'
import { eventually } from '../eventually.ts'
import { fixturePool, plainModels } from '../pool/harness.ts'

const test = suite('registry/session-files')

let folder: string
let cache: string
let pool: Pool
let asked: PoolTask['type'][]

test.before(async () => {
  const real = fixturePool()
  asked = []
  pool = {
    ...real,
    run: task => {
      asked.push(task.type)
      return real.run(task)
    },
  }
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  cache = join(folder, 'data', 'cache', 'sessions')
  await mkdir(cache, { recursive: true })
})
test.after(async () => {
  await pool.close()
  await rm(folder, { recursive: true, force: true })
})

const source = (answer: string) => `import { defineFunction } from 'corun'
export default defineFunction({ models: { net: { path: 'net.onnx' } }, handler: () => '${answer}' })
`

test('what is kept of a model is there while a deployment uses it, and no longer', async () => {
  const functionsDir = join(folder, 'functions')
  for (const name of ['one', 'two']) {
    await mkdir(join(functionsDir, name), { recursive: true })
    await writeFile(join(functionsDir, name, 'net.onnx'), loadNetwork('shufflenet_v2_x1_0'))
    await writeFile(join(functionsDir, name, 'function.ts'), source('first'))
  }
  await mkdir(join(cache, 'stranger'))
  await writeFile(join(cache, '.stranger.tmp'), '')
  const dataDir = join(folder, 'data')
  const registry = createRegistry({
    functionsDir,
    dataDir,
    pool,
    models: plainModels,
    keepWarmMs: 0,
    log: silentLogger,
  })
  const prepared = () => registry.deployed('one').models.net?.prepared
  const kept = async () => (await readdir(cache)).sort()

  await registry.start()
  const first = prepared()?.entry ?? 'none'
  assert.equal(await kept(), [first], 'both functions have one, and what nothing uses is gone')
  assert.is(asked.filter(type => type === 'prepare').length, 1)

  await writeFile(join(functionsDir, 'one', 'function.ts'), source('second'))
  await registry.refresh()
  assert.is(
    asked.filter(type => type === 'prepare').length,
    1,
    'another source does not prepare the same model again',
  )
  assert.is(prepared()?.entry, first)

  const file = join(functionsDir, 'other.onnx')
  await writeFile(file, loadNetwork('mobilenet_v2'))
  const version = { sha256: 'a'.repeat(64), file, labels: [] }
  await registry.switchModel('one.net', version, async () => {})
  const second = prepared()?.entry ?? 'none'
  assert.not.equal(second, first)
  assert.equal(await kept(), [first, second].sort(), 'function two still uses the first')

  await rm(join(functionsDir, 'two'), { recursive: true })
  await registry.refresh()
  await eventually(
    'it is removed, after the last thread has let it go',
    async () => !(await kept()).includes(first),
  )
  assert.equal(await kept(), [second])
})

test.run()
