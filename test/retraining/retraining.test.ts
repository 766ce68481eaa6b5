import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError } from '../../runtime/core/errors.ts'
import { openRunHistory } from '../../runtime/retraining/run-history.ts'
import { newRun, type RunRecord } from '../../runtime/retraining/run-record.ts'
import { until } from '../eventually.ts'
import { createHarness, type HarnessOptions, modelId } from './harness.ts'

const test = suite('retraining')
const folders: string[] = []
const better = 'ready progress=1 progress=2 evaluating done=0.8,0.95,0.985'

async function harness(script: string, options?: HarnessOptions) {
  const made = await createHarness(script, options)
  folders.push(made.dataDir)
  return made
}
test.after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function codeOf(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    if (error instanceof CorunError) return error.code
    throw error
  }
  return 'none'
}

test('a better candidate is promoted, and the record tells all of it', async () => {
  const told: boolean[] = []
  const { run, models, switched, dataDir } = await harness(better, {
    onTraining: active => void told.push(active),
  })
  const parent = models.get(modelId).current
  const record = await run()
  assert.is(record?.state, 'promoted')
  assert.is(record?.error, null)
  assert.is(record?.parent, parent)
  assert.equal(record?.losses, [0.6, 0.4])
  assert.is(record?.before?.heldOut.accuracy, 0.8)
  assert.is(record?.after?.heldOut.accuracy, 0.95)
  assert.match(record?.decision?.reasons.join() ?? '', 'gain 0.150')
  assert.ok((record?.seconds ?? 0) > 0 && record?.endedAt)
  const { training = 0, validation = 0, heldOut = 0 } = record?.samples ?? {}
  assert.is(training + validation + heldOut, 60)
  assert.ok(validation > 0)
  assert.is(models.get(modelId).current, record?.candidate)
  assert.equal(switched, [record?.candidate])
  assert.equal(told, [true, false])
  assert.equal(await readdir(join(dataDir, 'runs')), [])
  const version = models.get(modelId).versions.find(({ sha256 }) => sha256 === record?.candidate)
  assert.is(version?.runId, record?.id)
  assert.is(version?.metrics?.heldOut.accuracy, 0.95)
})

test('a candidate that forgot the reference set is rejected, and the old version serves', async () => {
  const { run, models, switched } = await harness('ready evaluating done=0.8,0.95,0.9')
  const parent = models.get(modelId).current
  const record = await run()
  assert.is(record?.state, 'rejected')
  assert.match(record?.decision?.reasons[0] ?? '', 'lost 0.090')
  assert.is(models.get(modelId).current, parent)
  assert.equal(switched, [])
  assert.is(models.get(modelId).versions.at(-1)?.state, 'rejected')
})

test('a candidate that does not load leaves the old version serving, and the run failed', async () => {
  const { run, models } = await harness(better, {
    switchModel: () => Promise.reject(new CorunError('model-load-failed', 'no memory')),
  })
  const parent = models.get(modelId).current
  const record = await run()
  assert.is(record?.state, 'failed')
  assert.is(record?.error?.code, 'model-load-failed')
  assert.is(models.get(modelId).current, parent)
  assert.is(models.get(modelId).versions.at(-1)?.state, 'rejected')
})

test('a candidate does not replace a version that came while it was trained', async () => {
  const { retraining, models, dataDir, event } = await harness(
    'ready wait=resume evaluating done=0.8,0.95,0.99',
  )
  const ready = event('ready')
  await retraining.start('scene')
  await ready
  await writeFile(join(dataDir, 'base.onnx'), 'other architecture')
  await models.adopt(modelId, join(dataDir, 'base.onnx'))
  const adopted = models.get(modelId).current
  retraining.resume('scene')
  await retraining.idle()
  const record = retraining.get('scene').runs[0]
  assert.is(record?.state, 'rejected')
  assert.match(record?.decision?.reasons[0] ?? '', 'changed while')
  assert.is(models.get(modelId).current, adopted)
})

test('a version that an operator makes current just before it is not undone', async () => {
  let before: () => Promise<void> = async () => {}
  const { run, models } = await harness(better, {
    switchModel: async (_, __, commit) => {
      await before()
      await commit()
    },
  })
  const parent = models.get(modelId).current
  const byHand = await models.addCandidate(modelId, Buffer.from('by hand'), { parent, runId: 'r0' })
  before = () => models.commitPromotion(modelId, byHand.sha256, { by: 'operator', why: '' })
  const record = await run()
  assert.is(record?.state, 'rejected')
  assert.match(record?.decision?.reasons[0] ?? '', 'changed while')
  assert.is(models.get(modelId).current, byHand.sha256)
})

test('one run at a time: that of another function waits for its turn, a second one of the same is refused', async () => {
  const { retraining, event, pids } = await harness('ready wait=resume evaluating done=0.8,0.95,0.99')
  const ready = event('ready')
  assert.is((await retraining.start('scene')).state, 'queued')
  assert.is((await retraining.start('other')).state, 'queued')
  await ready
  assert.is(retraining.active()?.function, 'scene')
  assert.is(retraining.get('scene').active?.state, 'training')
  assert.is(retraining.get('other').active?.state, 'queued')
  for (const name of ['scene', 'other'])
    assert.is(await codeOf(() => retraining.start(name)), 'retraining-conflict')
  assert.is(await codeOf(() => retraining.pause('other')), 'retraining-conflict')
  assert.is(pids.length, 1)
  const next = event('ready')
  retraining.resume('scene')
  await next
  assert.is(retraining.get('scene').active, null)
  retraining.resume('other')
  await retraining.idle()
  const [scene, other] = ['scene', 'other'].map(name => retraining.get(name).runs[0])
  assert.equal([scene?.state, other?.state], ['promoted', 'promoted'])
  assert.is(other?.parent, scene?.candidate, 'it trained on the version of when its turn came')
})

test('a run that waits is cancelled at once, and the one before it goes on', async () => {
  const { retraining, event, pids } = await harness('ready wait=resume done=0.8,0.95,0.99')
  const ready = event('ready')
  await retraining.start('scene')
  await ready
  await retraining.start('other')
  assert.is(retraining.cancel('other').state, 'cancelled')
  assert.is(retraining.get('other').active, null)
  retraining.resume('scene')
  await retraining.idle()
  assert.is(retraining.get('scene').runs[0]?.state, 'promoted')
  assert.match(retraining.get('other').runs[0]?.reason ?? '', 'queued')
  assert.is(pids.length, 1)
})

test('a scheduled run that cannot pay is skipped and says why; by hand and on drift it runs', async () => {
  let level: 'stable' | 'drifted' = 'stable'
  const { retraining, run, samples } = await harness(better, { driftLevel: () => level })
  await run()
  const scheduled = () => retraining.start('scene', { by: 'schedule' })
  assert.is(await codeOf(scheduled), 'retraining-skipped')
  assert.match(retraining.get('scene').skipped?.reason ?? '', '0 samples have come')
  level = 'drifted'
  assert.is((await scheduled()).by, 'schedule')
  await retraining.idle()
  assert.is(retraining.get('scene').skipped, null)
  level = 'stable'
  const drifted = await retraining.start('scene', { by: 'drift', why: 'p(top) fell' })
  assert.equal([drifted.by, drifted.why], ['drift', 'p(top) fell'])
  await retraining.idle()
  for (let n = 0; n < 10; n += 1) {
    const body = new TextEncoder().encode(`later ${n}`)
    await samples.add({ function: 'scene', label: '0', body, format: 'jpeg', at: Date.now() + 1000 })
  }
  assert.is(await codeOf(scheduled), 'none')
  await retraining.idle()
})

test('a run that the server interrupted goes on at the next start, with the samples that it had', async () => {
  const first = await harness('ready checkpoint=20 wait=resume done=0.8,0.95,0.99')
  const kept = first.event('checkpoint')
  const { id } = await first.retraining.start('scene')
  await kept
  await first.retraining.close()
  assert.is(first.retraining.get('scene').runs[0]?.goesOn, true)
  const body = new TextEncoder().encode('posted meanwhile')
  await first.samples.add({ function: 'scene', label: '0', body, format: 'jpeg' })

  const second = await harness('ready checkpoint=20 wait=resume done=0.8,0.95,0.99', {
    dataDir: first.dataDir,
    samples: 0,
  })
  const ready = second.event('ready')
  await second.retraining.recover()
  await ready
  const active = second.retraining.get('scene').active
  assert.is(active?.resumes?.run, id)
  assert.match(active?.notes.join() ?? '', 'goes on with its samples')
  assert.equal(active?.samples, second.retraining.get('scene').runs.find(run => run.id === id)?.samples)
  second.retraining.resume('scene')
  await second.retraining.idle()
  const runs = second.retraining.get('scene').runs
  assert.equal(
    runs.map(({ state, goesOn }) => `${state} ${goesOn}`),
    ['promoted false', 'interrupted false'],
  )
  assert.equal(await readdir(join(first.dataDir, 'checkpoints')), [])
})

test('a kill before the run that goes on was recorded loses nothing, and a pause lasts', async () => {
  const script = 'ready checkpoint=20 wait=resume done=0.8,0.95,0.99'
  const first = await harness(script)
  const kept = first.event('checkpoint')
  const { id } = await first.retraining.start('scene')
  await kept
  first.retraining.pause('scene')
  await first.retraining.close()
  const { dataDir } = first
  // As it is on disk after the next run took the job, and before it was recorded.
  const jobFile = join(dataDir, 'checkpoints', 'scene', 'job.json')
  const job = JSON.parse(await readFile(jobFile, 'utf8'))
  await writeFile(jobFile, JSON.stringify({ ...job, runId: 'never recorded', continues: id }))
  const second = await harness(script, { dataDir, samples: 0 })
  const ready = second.event('ready')
  await second.retraining.recover()
  await ready
  const { active } = second.retraining.get('scene')
  assert.match(active?.notes.join() ?? '', 'goes on with its samples')
  assert.is(active?.paused, true)
  second.retraining.resume('scene')
  await second.retraining.idle()
})

test('a run that was started before the interrupted one is recovered keeps its checkpoint', async () => {
  const first = await harness('ready checkpoint=20 wait=resume done=0.8,0.95,0.99')
  const kept = first.event('checkpoint')
  await first.retraining.start('scene')
  await kept
  await first.retraining.close()
  const second = await harness('ready wait=resume done=0.8,0.95,0.99', { dataDir: first.dataDir, samples: 0 })
  const ready = second.event('ready')
  await second.retraining.start('scene')
  await ready
  await second.retraining.recover()
  assert.equal(await readdir(join(first.dataDir, 'checkpoints')), ['scene'])
  assert.ok(second.retraining.get('scene').runs.every(({ goesOn }) => !goesOn))
  second.retraining.resume('scene')
  await second.retraining.idle()
  assert.is(second.retraining.get('scene').runs[0]?.state, 'promoted')
})

test('runs that are not over are not dropped from the history', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const history = await openRunHistory(dataDir, {
    now: () => '',
    isOnTrial: () => false,
    wasPromoted: () => false,
    limit: 3,
  })
  const fields = {
    function: 'scene',
    model: modelId,
    by: 'operator',
    why: '',
    startedAt: '',
    parent: 'p',
    seed: 1,
  } as const
  const samples = { training: 0, validation: 0, heldOut: 0, reference: 0, referenceHeldOut: 0 }
  const run = (id: string, state: RunRecord['state']) => ({ ...newRun({ ...fields, id, samples }), state })
  await history.save(run('trial', 'canary'))
  for (let n = 0; n < 5; n += 1) await history.save(run(`r${n}`, 'rejected'))
  assert.equal(
    history.list().map(({ id }) => id),
    ['r4', 'r3', 'trial'],
  )
  await rm(dataDir, { recursive: true })
})

test('a cancelled run does not come back, and one whose samples are gone starts afresh and says so', async () => {
  const script = 'ready checkpoint=20 wait=resume done=0.8,0.95,0.99'
  const first = await harness(script)
  const kept = first.event('checkpoint')
  await first.retraining.start('scene')
  await kept
  first.retraining.cancel('scene')
  await first.retraining.idle()
  assert.equal(await readdir(join(first.dataDir, 'checkpoints')), [])
  const again = first.event('checkpoint')
  await first.retraining.start('scene')
  await again
  await first.retraining.close()
  await first.samples.remove('scene', { id: (await first.samples.list('scene'))[0]?.id })

  const second = await harness(script, { dataDir: first.dataDir, samples: 0 })
  const ready = second.event('ready')
  await second.retraining.recover()
  await ready
  assert.match(second.retraining.get('scene').active?.notes.join() ?? '', 'starts afresh: 1 of its samples')
  second.retraining.resume('scene')
  await second.retraining.idle()
  assert.equal(
    second.retraining.get('scene').runs.map(({ state }) => state),
    ['promoted', 'interrupted', 'cancelled'],
  )
})

test('a trainer that is killed after a checkpoint goes on in the same run', async () => {
  const { run } = await harness('ready checkpoint=20 killed-once ready done=0.8,0.95,0.985')
  const record = await run()
  assert.is(record?.state, 'promoted')
  assert.match(record?.notes.join() ?? '', /went on at step 20: .*SIGKILL/)
})

test('a pause and a resume reach the trainer, and show', async () => {
  const { retraining, event } = await harness('ready wait=pause progress=1 wait=resume done=0.8,0.9,0.99')
  const ready = event('ready')
  const progress = event('progress')
  await retraining.start('scene')
  await ready
  assert.ok(retraining.pause('scene').paused)
  await progress
  assert.ok(retraining.get('scene').active?.paused)
  assert.not.ok(retraining.resume('scene').paused)
  await retraining.idle()
  assert.is(retraining.get('scene').runs[0]?.state, 'promoted')
})

test('a cancelled run ends as cancelled, and the next one works', async () => {
  const { retraining, event, run, models } = await harness('ready wait=resume done=0.8,0.9,0.99')
  const ready = event('ready')
  const parent = models.get(modelId).current
  await retraining.start('scene')
  await ready
  retraining.cancel('scene')
  await retraining.idle()
  assert.is(retraining.get('scene').runs[0]?.state, 'cancelled')
  assert.is(models.get(modelId).current, parent)
  assert.is(await codeOf(() => retraining.cancel('scene')), 'retraining-conflict')
  const next = event('ready')
  const second = run()
  await next
  retraining.resume('scene')
  assert.is((await second)?.state, 'promoted')
})

test('a trainer that does not stop in time is killed, and its run is cancelled all the same', async () => {
  const { retraining, event } = await harness('ready deaf', { stopGraceMs: 50 })
  const ready = event('ready')
  await retraining.start('scene')
  await ready
  retraining.cancel('scene')
  await retraining.idle()
  assert.is(retraining.get('scene').runs[0]?.state, 'cancelled')
})

test('kill -9 of the trainer: the run is failed, the signal is named, and the next one works', async () => {
  const { retraining, event, pids, run, models } = await harness('ready wait=resume done=0.8,0.9,0.99')
  const parent = models.get(modelId).current
  const ready = event('ready')
  await retraining.start('scene')
  await ready
  process.kill(pids[0] ?? 0, 'SIGKILL')
  await retraining.idle()
  const record = retraining.get('scene').runs[0]
  assert.is(record?.state, 'failed')
  assert.is(record?.error?.code, 'trainer-failed')
  assert.match(record?.error?.message ?? '', 'SIGKILL')
  assert.is(models.get(modelId).current, parent)
  const next = event('ready')
  const second = run()
  await next
  retraining.resume('scene')
  assert.is((await second)?.state, 'promoted')
})

for (const [script, code, text] of [
  ['ready die=SIGABRT', 'trainer-failed', 'the engine is out of words'],
  ['exit=3', 'trainer-failed', 'exit code 3'],
  ['exit=0', 'trainer-failed', 'exit code 0'],
  ['fail', 'not-trainable', 'no rule for Foo'],
] as const) {
  test(`a trainer that ends with "${script}" fails its run as ${code}`, async () => {
    const record = await (await harness(script)).run()
    assert.is(record?.state, 'failed')
    assert.is(record?.error?.code, code)
    assert.match(record?.error?.message ?? '', text)
  })
}

test('too few samples are refused before anything starts', async () => {
  const { retraining, pids } = await harness(better, { samples: 10 })
  assert.is(await codeOf(() => retraining.start('scene')), 'too-few-samples')
  assert.equal(pids, [])
  assert.equal(retraining.get('scene').runs, [])
  assert.is(retraining.active(), undefined)
})

test('what has no retraining is refused by code', async () => {
  const { retraining } = await harness(better)
  for (const name of ['plain', 'nothing']) {
    assert.is(await codeOf(() => retraining.start(name)), 'unknown-retraining')
    assert.is(await codeOf(() => retraining.get(name)), 'unknown-retraining')
  }
  assert.equal(
    retraining.list().map(view => view.function),
    ['scene', 'other'],
  )
})

test('a stop of the server interrupts the run between steps, and nothing starts after', async () => {
  const { retraining, event } = await harness('ready wait=resume done=0.8,0.9,0.99')
  const ready = event('ready')
  await retraining.start('scene')
  await ready
  await retraining.close()
  assert.is(retraining.get('scene').runs[0]?.state, 'interrupted')
  assert.is(await codeOf(() => retraining.start('scene')), 'shutting-down')
})

test('a run that a killed server left open is interrupted, or promoted when its promotion was committed', async () => {
  const first = await harness('ready wait=resume done=0.8,0.9,0.99')
  const ready = first.event('ready')
  const { id } = await first.retraining.start('scene')
  await ready
  // What a kill -9 of the server leaves is what is on disk at this moment.
  const second = await harness(better, { dataDir: first.dataDir })
  assert.is(second.retraining.get('scene').runs[0]?.state, 'interrupted')

  const parent = second.models.get(modelId).current
  const { sha256 } = await second.models.addCandidate(modelId, Buffer.from('committed'), {
    parent,
    runId: 'r2',
  })
  await second.models.commitPromotion(modelId, sha256, { by: 'schedule', why: '' })
  const record = {
    ...(second.retraining.get('scene').runs[0] ?? {}),
    id: 'r2',
    state: 'evaluating',
    endedAt: null,
  }
  const stateFile = join(first.dataDir, 'state', 'runs.json')
  await writeFile(stateFile, JSON.stringify({ version: 1, runs: [record] }))
  await mkdir(join(first.dataDir, 'runs', 'r2'), { recursive: true })
  const third = await harness(better, { dataDir: first.dataDir })
  assert.is(third.retraining.get('scene').runs[0]?.state, 'promoted')
  assert.equal(await readdir(join(first.dataDir, 'runs')), [])

  first.retraining.cancel('scene')
  await first.retraining.idle()
  assert.is(first.retraining.get('scene').runs[0]?.id, id)
})

test('memory that runs out halves the pictures at once until they fit, and the next run remembers', async () => {
  const { run, dataDir, retraining } = await harness('fits=3 ready progress=1 evaluating done=0.8,0.95,0.985')
  const record = await run()
  assert.is(record?.state, 'promoted')
  assert.equal(
    record?.relaunches.map(({ microBatch }) => microBatch),
    [8, 4, 2],
  )
  assert.match(record?.relaunches[0]?.why ?? '', 'bad_alloc with 16 pictures')
  assert.equal((await run())?.relaunches, [])
  await retraining.close()
  const later = await harness('fits=3 ready evaluating done=0.8,0.95,0.985', { dataDir })
  assert.equal((await later.run())?.relaunches, [])
})

test('when a single picture does not fit, the run fails with what the engine said', async () => {
  const { run } = await harness('fits=0')
  const record = await run()
  assert.is(record?.state, 'failed')
  assert.match(record?.error?.message ?? '', 'bad_alloc with 1 pictures')
  assert.equal(
    record?.relaunches.map(({ microBatch }) => microBatch),
    [8, 4, 2, 1],
  )
})

test('a trainer that the kernel killed for memory starts again; one that a person killed does not', async () => {
  let kills = 0
  const counting = await harness('killed-over=8 ready done=0.8,0.95,0.985', { oomKills: () => kills++ })
  const record = await counting.run()
  assert.is(record?.state, 'promoted')
  assert.equal(
    record?.relaunches.map(({ microBatch }) => microBatch),
    [8],
  )
  assert.match(record?.relaunches[0]?.why ?? '', 'SIGKILL')
  const byHand = await harness('killed-over=8 ready done=0.8,0.95,0.985', { oomKills: () => 7 })
  const failed = await byHand.run()
  assert.is(failed?.state, 'failed')
  assert.equal(failed?.relaunches, [])
})

test('a trainer that asks waits while requests do, and the record tells for how long', async () => {
  // The first step shows what one takes, and goes at once.
  let queued = 1
  const script = 'ready ask wait=go progress=1 ask wait=go done=0.8,0.95,0.985'
  const { retraining, event } = await harness(script, { queued: () => queued })
  const progress = event('progress')
  await retraining.start('scene')
  await progress
  const waited = () => retraining.get('scene').active?.yielded?.waitedMs ?? 0
  await until(() => waited() >= 30)
  assert.is(retraining.get('scene').active?.progress?.step, 1)
  queued = 0
  await retraining.idle()
  const run = retraining.get('scene').runs[0]
  assert.is(run?.state, 'promoted')
  assert.is(run?.yielded?.how, 'asks')
  assert.ok((run?.yielded?.share ?? 0) > 0 && (run?.yielded?.share ?? 2) <= 1)
  assert.is(run?.yielded?.bursts, 0)
})

test.run()
