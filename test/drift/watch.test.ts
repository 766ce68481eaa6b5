import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError } from '../../runtime/core/errors.ts'
import { captureSchema } from '../../runtime/core/watching-schema.ts'
import { createDriftMonitor, type LevelChange } from '../../runtime/drift/monitor.ts'
import { createWatch } from '../../runtime/drift/watch.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { createCaptureStore } from '../../runtime/samples/capture-store.ts'
import { createSampleStore } from '../../runtime/samples/sample-store.ts'
import { createDeployment, createDeploymentModel } from './fixtures.ts'

const test = suite('drift/watch')
const log = silentLogger
let dataDir = ''
let now = 0
const clock = { now: () => now, monotonic: () => now }

test.before.each(async () => {
  now = Date.parse('2026-01-01T00:00:00.000Z')
  dataDir = await mkdtemp(join(tmpdir(), 'corun-watch-'))
})
test.after.each(() => rm(dataDir, { recursive: true }))

const capture = captureSchema.parse({ share: 1, keepHours: 2 })
assert.throws(() => captureSchema.parse({ share: 1, keepHours: 1e10 }), /keepHours/)
const model = createDeploymentModel()
const deployment = createDeployment(model, {
  capture,
  drift: { reference: 250, from: 'requests', falseAlarms: 1e-3 },
})

async function open({ remembered = 100 } = {}) {
  const changes: LevelChange[] = []
  const monitor = await createDriftMonitor({ dataDir, log, onLevel: change => changes.push(change) })
  const captures = createCaptureStore({ dataDir, log, clock })
  const samples = createSampleStore({ dataDir, log, clock })
  const watch = createWatch({
    monitor,
    captures,
    samples,
    serving: () => ({ deployment, labelled: 'net' }),
    log,
    remembered,
  })
  const answer = (
    requestId: string,
    predicted: number,
    { picture, version = model.sha256 }: { picture?: string; version?: string } = {},
  ) =>
    watch.answered({
      requestId,
      deployment,
      answer: {
        said: [{ model: model.id, version, predicted, probability: 0.9 }],
        ...(picture ? { captured: { body: new TextEncoder().encode(picture), format: 'jpeg' } } : {}),
      },
    })
  return { monitor, captures, samples, watch, answer, changes }
}
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'none',
    error => (error instanceof CorunError ? error.code : String(error)),
  )
const files = async () =>
  (await readdir(join(dataDir, 'captures', 'scene')).catch(() => [])).filter(name => name.endsWith('.jpg'))
    .length

test('feedback at once after the answer makes a sample of the captured picture, and the capture is gone', async () => {
  const { watch, answer, samples } = await open()
  answer('r1', 0, { picture: 'one' })
  const truth = await watch.feedback('scene', 'r1', 'b')
  assert.equal([truth.predicted, truth.correct], ['a', false])
  const [sample] = await samples.list('scene')
  assert.equal([sample?.id, sample?.label], [truth.sample, 'b'])
  assert.is(await files(), 0)
  // Told otherwise later, the sample changes and no second one comes.
  assert.is((await watch.feedback('scene', 'r1', 'c')).sample, truth.sample)
  assert.equal(
    (await samples.list('scene')).map(({ label }) => label),
    ['c'],
  )
})

test('feedback without a captured picture counts for accuracy, once for each request', async () => {
  const { watch, answer, monitor } = await open()
  for (const [at, label] of ['a', 'a', 'b'].entries()) {
    answer(`r${at}`, 0)
    assert.is((await watch.feedback('scene', `r${at}`, label)).sample, null)
    await watch.feedback('scene', `r${at}`, label)
  }
  const accuracy = monitor.get(model.id)?.accuracy
  assert.equal([accuracy?.count, accuracy?.value], [3, 2 / 3])
})

test('a request that nobody remembers is told by its code: unknown, too long ago, or expired', async () => {
  const { watch, answer, captures } = await open({ remembered: 2 })
  assert.is(await codeOf(watch.feedback('scene', 'never', 'a')), 'unknown-request')
  answer('kept', 0, { picture: 'one' })
  answer('bare', 0)
  for (const id of ['x', 'y']) answer(id, 0)
  assert.is(await codeOf(watch.feedback('scene', 'bare', 'a')), 'unknown-request')
  assert.is(await codeOf(watch.feedback('other', 'x', 'a')), 'unknown-request')
  now += 3 * 3_600_000
  assert.is(await codeOf(watch.feedback('scene', 'kept', 'a')), 'unknown-request')
  await captures.expire()
  assert.is(await files(), 0)
})

test('after a restart the captured picture still takes its label, and counts', async () => {
  const first = await open()
  first.answer('r1', 2, { picture: 'one' })
  await first.captures.get('scene', 'r1')
  await first.monitor.close()
  const { watch, samples, monitor } = await open()
  const truth = await watch.feedback('scene', 'r1', 'c')
  assert.ok(truth.correct)
  assert.is((await samples.list('scene')).length, 1)
  assert.is(monitor.get(model.id)?.accuracy?.count, 1)
})

test('captures beyond their bytes let the oldest go', async () => {
  const captures = createCaptureStore({ dataDir, log, clock })
  for (const n of [1, 2, 3, 4]) {
    await captures.add(
      'scene',
      {
        requestId: `../${n}`,
        model: 'm',
        version: 'v',
        label: 'a',
        probability: 1,
        body: new Uint8Array(100),
        format: 'png',
      },
      { keepHours: 1, maxBytes: 250 },
    )
  }
  assert.equal(await captures.count('scene'), { count: 2, bytes: 200 })
  assert.is(await captures.get('scene', '../1'), undefined)
  assert.is((await captures.get('scene', '../4'))?.format, 'png')
})

test('what another version than the one that serves says is not held against its requests', async () => {
  const { answer, monitor } = await open()
  answer('r1', 0)
  answer('r2', 0, { version: 'f'.repeat(64) })
  assert.equal([monitor.get(model.id)?.version, monitor.get(model.id)?.reference.requests], [model.sha256, 1])
})

test('drift survives a restart, begins anew with a version, and is reset by hand', async () => {
  const first = await open()
  for (let n = 0; n < 500; n += 1) first.answer(`r${n}`, n % 2)
  for (let n = 0; n < 100; n += 1) first.answer(`s${n}`, 2)
  assert.is(first.monitor.get(model.id)?.level, 'drifted')
  assert.equal(first.changes.at(-1)?.to, 'drifted')
  assert.equal([first.changes[0]?.from, first.changes.at(-1)?.finding?.test], ['stable', 'predicted-classes'])
  await first.monitor.close()
  const { monitor } = await open()
  assert.is(monitor.get(model.id)?.level, 'drifted')
  assert.is(monitor.get(model.id)?.requests, 350)
  monitor.observe('scene', { model: model.id, version: 'new', predicted: 0, probability: 1 })
  assert.equal([monitor.get(model.id)?.level, monitor.get(model.id)?.version], ['stable', 'new'])
  for (let n = 0; n < 5; n += 1)
    monitor.observe('scene', { model: model.id, version: 'new', predicted: 0, probability: 1 })
  assert.is((await monitor.reset(model.id)).reference.requests, 0)
  await monitor.close()
})

test('a state file that cannot be read costs its reference, not the start', async () => {
  const first = await open()
  first.answer('r', 0)
  await first.monitor.close()
  await writeFile(join(dataDir, 'state', 'drift', `${model.id}.json`), '{"version":1,"torn')
  const { monitor, answer } = await open()
  assert.is(monitor.get(model.id), undefined)
  answer('r', 0)
  assert.is(monitor.get(model.id)?.reference.requests, 1)
  await monitor.close()
  const again = await open()
  assert.is(again.monitor.get(model.id)?.reference.requests, 1)
  await again.monitor.close()
  assert.ok((await readdir(join(dataDir, 'state', 'drift'))).includes(`${model.id}.json.damaged`))
})

test('a capture says what is meant by a number alone', () => {
  assert.equal(captureSchema.parse({ share: 0.05, uncertain: 0.5 }).uncertain, { below: 0.7, share: 0.5 })
  assert.equal(captureSchema.parse({ uncertain: { below: 0.4 } }).uncertain, { below: 0.4, share: 1 })
  assert.equal(captureSchema.parse({}).uncertain.share, 0)
  assert.not.ok(captureSchema.safeParse({ share: 2 }).success)
})

test.run()
