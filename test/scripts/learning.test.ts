import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { driftFigures, recoveredFigure, recovery, type Trial } from '../../scripts/bench/learning-figures.ts'
import { makeJob } from '../../scripts/bench/learning-job.ts'
import { openTarget } from '../../scripts/bench/learning-target.ts'
import { subjects } from '../../scripts/pictures/subject.ts'

const test = suite('scripts/learning')

const trial = (before: number, after: number, cleanAfter = 0.99): Trial => ({
  before,
  after,
  cleanBefore: 1,
  cleanAfter,
  seconds: 20,
})

for (const { before, after, share } of [
  { before: 0.75, after: 0.75, share: 0 },
  { before: 0.75, after: 0.875, share: 0.5 },
  { before: 0.75, after: 1, share: 1 },
  { before: 0.75, after: 0.5, share: -1 },
  { before: 1, after: 1, share: 1 },
]) {
  test(`from ${before} to ${after} of a clean 1 is a recovery of ${share}`, () => {
    assert.is(recovery(trial(before, after)), share)
  })
}

const bars = { after: { stripes: 0.952 }, clean: 0.968 }

test('a drift is judged by the median of its rounds, and a bar that is missed says so', () => {
  const rounds = [trial(0.7, 0.96, 0.95), trial(0.72, 0.94, 0.99), trial(0.74, 0.93, 0.96)]
  const figures = new Map(
    driftFigures({ subject: 'text', drift: 'stripes' }, rounds, bars, false).map(found => [
      found.name,
      found,
    ]),
  )
  const after = figures.get('text, stripes: accuracy after')
  assert.is(after?.value, 0.94)
  assert.equal(after?.spread, [0.93, 0.96])
  assert.is(after?.bound, '>= 0.952')
  assert.is(after?.holds, false)
  assert.is(figures.get('text, stripes: clean accuracy after')?.holds, false)
  assert.is(figures.get('text, stripes: accuracy before')?.holds, null)
})

test('a quick run is judged by no bound', () => {
  const figures = driftFigures({ subject: 'text', drift: 'blur' }, [trial(0.9, 0.5, 0.5)], bars, true)
  assert.ok(figures.every(({ bound, holds, quick }) => bound === null && holds === null && quick === true))
})

test('drifts that recover are counted round by round', () => {
  const { spread, value, unit } = recoveredFigure(
    'text',
    new Map([
      ['blur', [trial(0.9, 0.99), trial(0.9, 0.91), trial(0.9, 0.99)]],
      ['stripes', [trial(0.7, 0.98), trial(0.7, 0.71), trial(0.7, 0.71)]],
    ]),
    false,
  )
  assert.equal([spread, value, unit], [[0, 2], 1, 'of 2'])
})

for (const [name, drift] of [
  ['text', 'stripes'],
  ['scene', 'night'],
] as const) {
  test(`${name}: a trial trains on every labelled picture and judges on others, drifted and clean`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'corun-learning-'))
    try {
      const subject = subjects[name]()
      const target = await openTarget(subject.name, folder)
      const job = await makeJob({ target, subject, folder, drift, seed: 1, labels: 24, heldOut: 10 })
      assert.equal([job.training.length, job.heldOut.length, job.referenceHeldOut.length], [24, 10, 10])
      assert.ok(job.replay.length > 150, `${job.replay.length} pictures to replay`)
      for (const pictures of [job.training, job.heldOut, job.referenceHeldOut]) {
        assert.is(pictures.filter(({ label }) => label === job.model.labels[0]).length, pictures.length / 2)
      }
      const files = [...job.training, ...job.heldOut, ...job.referenceHeldOut].map(({ file }) => file)
      const contents = await Promise.all(files.map(file => readFile(file, 'base64')))
      assert.is(new Set(contents).size, files.length)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  })
}

test('a drift that a subject does not have is refused by name', async () => {
  let refused: unknown
  await subjects
    .scene()
    .draw({ count: 1, seed: 1, use: 'teach', drift: 'stripes' })
    .catch(error => {
      refused = error
    })
  assert.match(String(refused), /"stripes".*night/)
})

test.run()
