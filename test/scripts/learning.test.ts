import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { driftFigures, recoveredFigure, recovery, type Trial } from '../../scripts/bench/learning-figures.ts'
import { makeJob } from '../../scripts/bench/learning-job.ts'
import { openTarget } from '../../scripts/bench/learning-target.ts'

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

test('a drift is judged by the median of its rounds, and a bar that is missed says so', () => {
  const rounds = [trial(0.7, 0.96, 0.95), trial(0.72, 0.94, 0.99), trial(0.74, 0.93, 0.96)]
  const figures = new Map(driftFigures('stripes', rounds, false).map(found => [found.name, found]))
  const after = figures.get('stripes: accuracy after')
  assert.is(after?.value, 0.94)
  assert.equal(after?.spread, [0.93, 0.96])
  assert.is(after?.bound, '>= 0.952')
  assert.is(after?.holds, false)
  assert.is(figures.get('stripes: clean accuracy after')?.holds, false)
  assert.is(figures.get('stripes: accuracy before')?.holds, null)
})

test('a quick run is judged by no bound', () => {
  const figures = driftFigures('blur', [trial(0.9, 0.5, 0.5)], true)
  assert.ok(figures.every(({ bound, holds, quick }) => bound === null && holds === null && quick === true))
})

test('drifts that recover are counted round by round', () => {
  const { spread, value, unit } = recoveredFigure(
    new Map([
      ['blur', [trial(0.9, 0.99), trial(0.9, 0.91), trial(0.9, 0.99)]],
      ['stripes', [trial(0.7, 0.98), trial(0.7, 0.71), trial(0.7, 0.71)]],
    ]),
    false,
  )
  assert.equal([spread, value, unit], [[0, 2], 1, 'of 2'])
})

test('a trial trains on every labelled picture and judges on others, drifted and clean', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-learning-'))
  try {
    const target = await openTarget('text-orientation', folder)
    const job = await makeJob({ target, folder, drift: 'stripes', seed: 1, labels: 24, heldOut: 10 })
    assert.equal([job.training.length, job.heldOut.length, job.referenceHeldOut.length], [24, 10, 10])
    assert.ok(job.replay.length > 300, `${job.replay.length} pictures to replay`)
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

test.run()
