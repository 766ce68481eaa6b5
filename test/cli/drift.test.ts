import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { packageRoot } from '../../runtime/core/package-root.ts'
import type { DriftView } from '../../runtime/drift/monitor.ts'
import type { RetrainingView } from '../../runtime/retraining/retraining-view.ts'
import { type ServerProcess, startServer } from '../../scripts/demo/server-process.ts'
import { makeSet } from '../../scripts/pictures/make-set.ts'
import { eventually } from '../eventually.ts'

const test = suite('cli/drift')

const name = 'text-orientation'
const model = `${name}.orientation`
let folder: string
let server: ServerProcess

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const own = join(folder, 'functions', name)
  await cp(join(packageRoot, 'functions', name), own, {
    recursive: true,
    filter: file => !file.includes('reference'),
  })
  const source = await readFile(join(own, 'function.ts'), 'utf8')
  await writeFile(
    join(own, 'function.ts'),
    source.replace(
      'defineFunction({',
      'defineFunction({ timeoutMs: 600_000, capture: { share: 1 }, drift: { reference: 250 }, batch: { max: 100 },',
    ),
  )
  await writeFile(
    join(own, 'retrain.ts'),
    `import { defineRetraining } from 'corun'
    export default defineRetraining({ model: 'orientation', onDrift: true })`,
  )
  server = await startServer([
    '--port',
    '0',
    '--data',
    join(folder, 'data'),
    '--functions',
    join(folder, 'functions'),
  ])
})
test.after(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

const api = async <T>(path: string): Promise<T> =>
  (await (await fetch(`${server.url}/api${path}`)).json()) as T
const drift = () => api<DriftView>(`/drift/${model}`)

/** A hundred pictures a request: what each of them says is held against the reference. */
async function send(pictures: readonly { image: Buffer }[]) {
  for (let from = 0; from < pictures.length; from += 50) {
    const body = JSON.stringify(pictures.slice(from, from + 50).map(({ image }) => image.toString('base64')))
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(`${server.url}/fn/${name}`, { method: 'POST', body, headers })
    assert.is(response.status, 200)
    await response.arrayBuffer()
  }
}

test('a picture that was answered becomes a sample by its request id, and the answer counts', async () => {
  const [picture] = await makeSet({ count: 1, seed: 3 })
  const response = await fetch(`${server.url}/fn/${name}`, {
    method: 'POST',
    body: new Uint8Array(picture?.image ?? []),
    headers: { 'x-request-id': 'mine', 'content-type': 'image/jpeg' },
  })
  const { label } = (await response.json()) as { label: string }
  const told = await fetch(`${server.url}/api/functions/${name}/feedback`, {
    method: 'POST',
    body: JSON.stringify({ requestId: 'mine', label }),
    headers: { 'content-type': 'application/json' },
  })
  assert.is(told.status, 201)
  const truth = (await told.json()) as { sample: string; correct: boolean }
  assert.ok(truth.correct)
  const kept = await fetch(`${server.url}/api/functions/${name}/samples/${truth.sample}`)
  assert.equal(Buffer.from(await kept.arrayBuffer()), picture?.image)
  assert.is((await drift()).accuracy?.count, 1)
})

test('a camera that changes is seen in the API, the metrics and the log, and a retraining waits for samples', async () => {
  const clean = await makeSet({ count: 100, seed: 4 })
  for (let round = 0; round < 3; round += 1) await send(clean)
  const before = await drift()
  assert.equal([before.level, before.reference.requests], ['stable', 250])
  await send(await makeSet({ count: 100, seed: 4, drift: 'stripes' }))
  const after = await drift()
  assert.is(after.level, 'drifted')
  assert.ok(after.findings.some(({ test }) => test === 'features'))
  const metrics = await (await fetch(`${server.url}/metrics`)).text()
  assert.match(metrics, new RegExp(`corun_drift_level\\{model="${model}"\\} 2`))
  await eventually('the log tells it', () => /requests are not what they were/.test(server.log()))
  await eventually('and what waits', () => /a retraining on drift waits/.test(server.log()))
  assert.is((await api<RetrainingView>(`/retraining/${name}`)).active, null)
  const { drift: levels } = await api<{ drift: Record<string, string> }>(`/functions/${name}`)
  assert.equal(levels, { [model]: 'drifted' })
})

test('the present is made the reference by hand', async () => {
  const response = await fetch(`${server.url}/api/drift/${model}/reset`, { method: 'POST' })
  assert.is(response.status, 200)
  const { level, reference } = await drift()
  assert.equal([level, reference.requests], ['stable', 0])
})

test.run()
