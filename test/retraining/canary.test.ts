import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { RunRecord } from '../../runtime/retraining/run-record.ts'
import { eventually } from '../eventually.ts'
import { createHarness, type HarnessOptions, modelId } from './harness.ts'

const test = suite('retraining/canary')

const better = 'ready evaluating done=0.6,0.9,0.99'
const options: HarnessOptions = { samples: 40, other: false, canary: { share: 0.5, requests: 20 } }
type Harness = Awaited<ReturnType<typeof createHarness>>

/** The candidate has the id of its run in it, and is what requests are drawn by: the same ones in every run of a test. */
function runIds() {
  let made = 0
  return () => `run-${++made}`
}

/** A run whose candidate the gate accepts, up to its trial. */
async function onTrial(more: HarnessOptions = {}): Promise<Harness & { candidate: string }> {
  const harness = await createHarness(better, { ...options, createId: runIds(), ...more })
  await harness.canaries.start()
  harness.canaries.beServed()
  await harness.retraining.start('scene')
  await harness.retraining.idle()
  const { active } = harness.retraining.get('scene')
  assert.is(active?.state, 'canary', active?.error?.message)
  return { ...harness, candidate: active?.candidate ?? '' }
}
/** So many requests, each answered by the version that its id is for. */
function ask({ canaries }: Harness, count: number, fails: (arm: string) => boolean = () => false): void {
  for (let n = 0; n < count; n += 1) {
    const requestId = `request-${n}`
    const arm = canaries.armOf('scene', requestId)
    const deployment = arm === 'current' ? 'd1' : canaries.deploymentOf('scene')
    canaries.ended({ function: 'scene', deployment, runMs: 5, status: fails(arm) ? 500 : 200 })
  }
}
const lastRun = ({ retraining }: Harness): RunRecord | undefined => retraining.get('scene').runs[0]
const isOver = (harness: Harness) => () => harness.retraining.get('scene').active === null
const close = async ({ canaries, retraining }: Harness) => {
  await retraining.close()
  await canaries.close()
}

test('what the gate accepts is tried before it takes over, and nothing else of the function runs meanwhile', async () => {
  const harness = await onTrial({ samples: 60, other: true })
  const { models, switched, retraining, candidate } = harness
  assert.equal(switched, [])
  const view = models.get(modelId)
  assert.is(view.canary, candidate)
  assert.is.not(view.current, candidate)
  assert.is(view.versions.find(({ sha256 }) => sha256 === candidate)?.state, 'canary')
  assert.equal([view.history.at(-1)?.action, view.history.at(-1)?.to], ['canary', candidate])
  const error = await retraining.start('scene').catch(error => error)
  assert.is(error.code, 'retraining-conflict')
  assert.match(error.message, /one is on trial/)
  // Another function's run does not wait for the trial.
  await retraining.start('other')
  await retraining.idle()
  await close(harness)
})

test('it takes over after its requests, and the run, the history and the version say by whom and why', async () => {
  const harness = await onTrial()
  ask(harness, 30)
  const active = harness.retraining.get('scene').active
  assert.ok((active?.canary?.candidate.requests ?? 0) > 5)
  ask(harness, 60)
  await eventually('it has taken over', isOver(harness))
  const { models, candidate, switched } = harness
  const run = lastRun(harness)
  assert.is(run?.state, 'promoted')
  assert.is(run?.canary?.candidate.requests, 20)
  assert.match(run?.reason ?? '', /errors 0 of \d+ -> 0 of 20/)
  assert.equal(switched, [candidate])
  const { current, canary, history } = models.get(modelId)
  assert.equal([current, canary], [candidate, null])
  assert.equal([history.at(-1)?.action, history.at(-1)?.by], ['promoted', 'canary'])
  assert.equal(history.at(-1)?.why, run?.reason)
  await close(harness)
})

test('it is taken back as soon as it fails where the version that serves does not', async () => {
  const harness = await onTrial({ canary: { share: 0.5, requests: 500 } })
  for (let n = 0; n < 90; n += 1) {
    harness.canaries.ended({ function: 'scene', deployment: 'd1', runMs: 5, status: 200 })
  }
  ask(harness, 60, arm => arm === 'candidate')
  await eventually('it is taken back', isOver(harness))
  const run = lastRun(harness)
  assert.is(run?.state, 'rejected')
  assert.is(run?.canary?.candidate.errors, 10, 'it was looked at after ten requests')
  assert.match(run?.reason ?? '', /^errors 0 of \d+ -> 10 of 10/)
  const view = harness.models.get(modelId)
  assert.equal([view.canary, view.current], [null, view.base])
  const version = view.versions.find(({ sha256 }) => sha256 === harness.candidate)
  assert.equal([version?.state, version?.kept], ['rejected', false])
  assert.equal([view.history.at(-1)?.action, view.history.at(-1)?.by], ['rejected', 'canary'])
  assert.is(harness.canaries.armOf('scene', 'request-1'), 'current')
  await harness.retraining.start('scene')
  await close(harness)
})

test('feedback counts for the version that answered, and lower accuracy takes the candidate back', async () => {
  const harness = await onTrial({ canary: { share: 0.5, requests: 80 } })
  const { canaries, candidate, models } = harness
  const { current } = models.get(modelId)
  for (let n = 0; n < 60; n += 1) {
    const version = n % 2 ? candidate : current
    const truth = { function: 'scene', model: modelId, version, requestId: `${n}`, label: '0' }
    canaries.truth({ ...truth, correct: version === current })
  }
  canaries.truth({
    function: 'scene',
    model: modelId,
    version: 'older',
    requestId: 'x',
    label: '0',
    correct: true,
  })
  const { current: before, candidate: after } = canaries.get('scene') ?? {}
  assert.equal([before?.accuracy?.value, before?.accuracy?.count], [1, 30])
  assert.equal([after?.accuracy?.value, after?.accuracy?.count], [0, 30])
  ask(harness, 40)
  await eventually('it is taken back', isOver(harness))
  assert.match(lastRun(harness)?.reason ?? '', /live accuracy 1\.000 \(30\) -> 0\.000 \(30\)/)
  await close(harness)
})

test('its time over, it takes over with enough requests', async () => {
  let now = 0
  const clock = { now: () => Date.now(), monotonic: () => now }
  const harness = await onTrial({
    canary: { share: 0.5, requests: 5000, forMs: 60_000 },
    clock,
    lookEveryMs: 5,
  })
  ask(harness, 100)
  assert.is(harness.retraining.get('scene').active?.state, 'canary')
  now = 60_000
  await eventually('it has taken over', isOver(harness))
  assert.is(lastRun(harness)?.state, 'promoted')
  await close(harness)
})

test('a shadow answers nobody: what it says is compared, and feedback holds both against the truth', async () => {
  const harness = await onTrial({ canary: { mode: 'shadow', share: 1, requests: 100 } })
  const { canaries, models, serving } = harness
  assert.is(canaries.armOf('scene', 'r'), 'current')
  assert.ok(canaries.shadows('scene', 'r'))
  const answered = (deployment: ReturnType<typeof serving>, predicted: number) => ({
    ...{ deployment, status: 200, runMs: 5 },
    said: [{ model: modelId, version: 'v', predicted, probability: 1 }],
  })
  const tried = canaries.deploymentOf('scene') ?? ''
  for (let n = 0; n < 12; n += 1) {
    const original = answered(serving(), 0)
    canaries.shadowed(
      'scene',
      `${n}`,
      original,
      n < 3 ? undefined : answered({ ...serving(), id: tried }, n % 2),
    )
  }
  const { current } = models.get(modelId)
  for (const n of [3, 4, 5]) {
    const truth = { function: 'scene', model: modelId, version: current, requestId: `${n}`, label: '180' }
    canaries.truth({ ...truth, correct: false })
  }
  const view = canaries.get('scene')
  assert.equal(view?.agreement, { same: 4, different: 5, skipped: 3 })
  assert.equal([view?.current.requests, view?.candidate.requests], [9, 9])
  assert.equal([view?.current.accuracy?.value, view?.candidate.accuracy?.value], [0, 2 / 3])
  await close(harness)
})

test('after a restart the trial goes on with what it had counted', async () => {
  const first = await onTrial()
  ask(first, 16)
  const counted = first.canaries.get('scene')?.candidate.requests ?? 0
  assert.ok(counted > 0 && counted < 20)
  await close(first)
  const again = await createHarness(better, { ...options, dataDir: first.dataDir })
  assert.is(again.models.get(modelId).canary, first.candidate)
  assert.is(again.canaries.armOf('scene', 'request-1'), 'current', 'before the functions are there')
  await again.canaries.start()
  assert.equal(again.canaries.get('scene')?.candidate.requests, counted)
  assert.is(again.retraining.get('scene').active?.state, 'canary')
  ask(again, 90)
  await eventually('it has taken over', isOver(again))
  assert.is(lastRun(again)?.state, 'promoted')
  assert.is(again.models.get(modelId).current, first.candidate)
  await close(again)
})

/** What a kill at the worst moment leaves. */
const leftBehind: [string, (dataDir: string) => Promise<unknown>, RunRecord['state'], RegExp][] = [
  [
    'before its run had noted the trial',
    async dataDir => {
      const file = join(dataDir, 'state', 'runs.json')
      await writeFile(
        file,
        (await readFile(file, 'utf8')).replace('"state": "canary"', '"state": "evaluating"'),
      )
    },
    'canary',
    /^$/,
  ],
  [
    'and lost what the trial had counted',
    dataDir => rm(join(dataDir, 'state', 'canaries.json')),
    'rejected',
    /what was known of its trial is lost/,
  ],
  [
    'after the candidate had become current',
    async dataDir => {
      const file = join(dataDir, 'state', 'models.json')
      const state = JSON.parse(await readFile(file, 'utf8'))
      const record = state.models[modelId]
      const { canary: to, current: from } = record
      record.history.push({
        at: '2026-01-01T00:00:00.000Z',
        action: 'promoted',
        from,
        to,
        by: 'canary',
        why: 'good',
      })
      for (const version of record.versions) if (version.sha256 === to) version.standing = 'served'
      await writeFile(
        file,
        JSON.stringify({ ...state, models: { [modelId]: { ...record, current: to, canary: null } } }),
      )
    },
    'promoted',
    /^good$/,
  ],
]
for (const [name, spoil, state, reason] of leftBehind) {
  test(`a server that is killed ${name} leaves no run open and no version undecided: ${state}`, async () => {
    const first = await onTrial()
    await close(first)
    await spoil(first.dataDir)
    const again = await createHarness(better, { ...options, dataDir: first.dataDir })
    await again.canaries.start()
    const { active, runs } = again.retraining.get('scene')
    const run = active ?? runs[0]
    assert.is(run?.state, state)
    assert.match(run?.reason ?? '', reason)
    assert.is(run?.goesOn, false)
    const { canary, current, versions } = again.models.get(modelId)
    assert.equal(
      [canary, current === first.candidate],
      [state === 'canary' ? first.candidate : null, state === 'promoted'],
    )
    assert.is(versions.filter(version => version.state === 'candidate').length, 0)
    await close(again)
  })
}

test('a candidate that does not load any more after a restart is taken back', async () => {
  const first = await onTrial()
  await close(first)
  const deployBeside = () => Promise.reject(new Error('no luck'))
  const again = await createHarness(better, { ...options, dataDir: first.dataDir, deployBeside })
  await again.canaries.start()
  assert.is(again.retraining.get('scene').active, null)
  assert.equal([lastRun(again)?.state, lastRun(again)?.reason], ['rejected', 'it does not load any more'])
  assert.is(again.models.get(modelId).canary, null)
  await close(again)
})

test('a candidate that does not load is rejected, and the run fails', async () => {
  const deployBeside = () => Promise.reject(new Error('no luck'))
  const harness = await createHarness(better, { ...options, deployBeside })
  await harness.canaries.start()
  const run = await harness.run()
  assert.equal([run?.state, run?.error?.message], ['failed', 'no luck'])
  const { canary, current, base } = harness.models.get(modelId)
  assert.equal([canary, current], [null, base])
  assert.is(harness.canaries.get('scene'), undefined)
  await close(harness)
})

/** What ends a trial from outside. */
const byHand: [
  string,
  (harness: Harness & { candidate: string }) => Promise<unknown>,
  RunRecord['state'],
  string,
][] = [
  [
    'a promotion of the candidate by hand',
    ({ control, candidate }) => control.promote(modelId, candidate, { why: 'enough' }),
    'promoted',
    'candidate',
  ],
  ['a rollback', ({ control }) => control.rollback(modelId, { why: 'no' }), 'rejected', 'base'],
  [
    'a promotion of another version',
    async ({ control, models }) => {
      const { current } = models.get(modelId)
      const other = await models.addCandidate(modelId, new TextEncoder().encode('other'), {
        parent: current,
        runId: 'x',
      })
      await control.promote(modelId, other.sha256)
    },
    'rejected',
    'other',
  ],
  ['cancelling its run', async ({ retraining }) => void retraining.cancel('scene'), 'cancelled', 'base'],
]
for (const [name, act, state, serves] of byHand) {
  test(`${name} ends the trial: ${state}, and ${serves} serves`, async () => {
    const harness = await onTrial()
    const { models, candidate } = harness
    await act(harness)
    await eventually('the trial is over', isOver(harness))
    assert.is(lastRun(harness)?.state, state)
    assert.ok(lastRun(harness)?.notes.includes('its trial was ended by operator'))
    const { current, base, canary, versions } = models.get(modelId)
    assert.is(canary, null)
    const expected = { candidate, base, other: versions.find(({ runId }) => runId === 'x')?.sha256 }
    assert.is(current, expected[serves as keyof typeof expected])
    const version = versions.find(({ sha256 }) => sha256 === candidate)
    assert.is(version?.state, serves === 'candidate' ? 'current' : 'rejected')
    assert.is(harness.canaries.get('scene'), undefined)
    await close(harness)
  })
}

test('a trial that is over before its run has noted it leaves no run open', async () => {
  let harness: Harness
  harness = await createHarness(better, {
    ...options,
    createId: runIds(),
    canary: { share: 0.9, requests: 1 },
    async deployBeside() {
      // Requests come as soon as it is there.
      setImmediate(function come() {
        if (harness.canaries.get('scene') === undefined) return void setImmediate(come)
        ask(harness, 10)
      })
    },
  })
  await harness.canaries.start()
  await harness.retraining.start('scene')
  await harness.retraining.idle()
  await eventually('the run is over', isOver(harness))
  assert.is(lastRun(harness)?.state, 'promoted')
  await close(harness)
})

test.run()
