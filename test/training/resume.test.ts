/** A training that is killed and goes on, in real trainer processes: its candidate is that of one that was left alone. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { adam, type RetrainingDefinition, sgd } from '../../runtime/core/retraining-definition.ts'
import { readCheckpoint, writeCheckpoint } from '../../runtime/training/checkpoint.ts'
import { type JobOptions, startTrainer, writeJob } from './trainer-job.ts'

const test = suite('training/resume')
const folders: string[] = []
test.after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

async function prepare(options: JobOptions) {
  const made = await writeJob(options)
  folders.push(made.folder)
  const checkpointFolder = join(made.folder, 'checkpoints')
  await mkdir(checkpointFolder)
  const job = { ...made.job, validation: made.job.heldOut, checkpointFolder }
  await writeFile(made.jobFile, JSON.stringify(job))
  return { ...made, job, checkpointFolder }
}

async function finish(jobFile: string) {
  const trainer = startTrainer(jobFile)
  const { event, exit } = await trainer.last()
  if (event?.type !== 'done') throw new Error(`${JSON.stringify(event)} ${exit.stderrTail}`)
  const ready = trainer.events.find(({ type }) => type === 'ready')
  return {
    done: event,
    resumedAt: ready?.type === 'ready' ? ready.resumedAt : undefined,
    bytes: await readFile(event.candidateFile),
    epochs: trainer.events.flatMap(each => (each.type === 'epoch' ? [each] : [])),
  }
}

/** SIGKILL as soon as the trainer has kept its `nth` checkpoint. */
async function killAfterCheckpoint(jobFile: string, nth: number): Promise<void> {
  const trainer = startTrainer(jobFile)
  for (let seen = 0; seen < nth; seen += 1) await trainer.next('checkpoint')
  trainer.kill()
  assert.is((await trainer.ended).signal, 'SIGKILL')
}

const cases: [what: string, definition: Partial<RetrainingDefinition>][] = [
  [
    'all parameters with Adam, averaging and pictures that are drawn anew',
    {
      epochs: 3,
      optimizer: adam(),
      averaging: 0.9,
      augment: { crop: 0.1, exposure: 0.5, blur: 1, noise: 0.05 },
      labelSmoothing: 0.1,
      classWeights: 'balanced',
      checkpointSteps: 4,
    },
  ],
  [
    'the head on kept features with momentum',
    { epochs: 6, trainable: 'head', optimizer: sgd({ learningRate: 0.05 }), checkpointSteps: 5 },
  ],
]

for (const [what, definition] of cases) {
  test(`${what}: killed after its second checkpoint and gone on, the candidate is the same byte for byte`, async () => {
    const alone = await finish((await prepare({ definition })).jobFile)
    assert.is(alone.resumedAt, undefined)
    const { jobFile } = await prepare({ definition })
    await killAfterCheckpoint(jobFile, 2)
    const resumed = await finish(jobFile)
    assert.ok((resumed.resumedAt ?? 0) >= 2 * (definition.checkpointSteps ?? 0))
    assert.ok(resumed.bytes.equals(alone.bytes), 'the weights differ')
    assert.equal(resumed.done.losses, alone.done.losses)
    assert.is(resumed.done.bestEpoch, alone.done.bestEpoch)
    const curve = ({ epochs }: typeof alone) =>
      epochs.map(({ epoch, loss, validation }) => ({ epoch, loss, validation }))
    assert.equal(curve(resumed), curve(alone))
  })
}

test('an orderly stop keeps the very step it came to', async () => {
  const { jobFile, checkpointFolder } = await prepare({ definition: { epochs: 50, checkpointSteps: 10_000 } })
  const trainer = startTrainer(jobFile)
  await trainer.next('progress')
  trainer.send({ type: 'stop' })
  assert.is((await trainer.last()).event?.type, 'stopped')
  assert.ok(((await readCheckpoint(join(checkpointFolder, 'checkpoint')))?.next.step ?? 0) > 0)
})

test('with other pictures, or another recipe, a training begins at the beginning', async () => {
  const definition = { epochs: 2, checkpointSteps: 4 }
  const { jobFile, job } = await prepare({ definition })
  await killAfterCheckpoint(jobFile, 1)
  await writeFile(jobFile, JSON.stringify({ ...job, training: job.training.slice(2) }))
  assert.is((await finish(jobFile)).resumedAt, undefined)
})

test('a run ends early when validation stops getting better, and the best epoch is kept', async () => {
  // Steps too small to change a weight: no epoch is better than the first.
  const optimizer = sgd({ learningRate: 1e-30, momentum: 0 })
  const { jobFile } = await prepare({ definition: { epochs: 40, patience: 2, optimizer } })
  const { epochs, done } = await finish(jobFile)
  assert.is(epochs.length, 3)
  assert.is(done.bestEpoch, 1)
})

test('an earlier version that fits the new samples is the candidate, and nothing is trained', async () => {
  const { jobFile, job } = await prepare({ definition: { epochs: 4 } })
  const file = (await finish(jobFile)).done.candidateFile
  // The version that serves says the opposite of what it should: the earlier one repairs that.
  const current = { ...job.model, file, labels: ['180', '0'] }
  const earlier = [{ sha256: 'e'.repeat(64), file, labels: ['0', '180'] }]
  await writeFile(jobFile, JSON.stringify({ ...job, model: current, earlier }))
  const { done, epochs } = await finish(jobFile)
  assert.is(done.earlier, earlier[0]?.sha256)
  assert.is(done.candidateFile, file)
  assert.equal(epochs, [])
  assert.ok((done.after.heldOut.accuracy ?? 0) > 0.9 && (done.before.heldOut.accuracy ?? 1) < 0.1)
  assert.is(done.comparison.heldOut.worse, 0)
})

test('a file that is no checkpoint, or half of one, is as good as none', async () => {
  const { checkpointFolder } = await prepare({})
  const file = join(checkpointFolder, 'checkpoint')
  assert.is(await readCheckpoint(file), undefined)
  const checkpoint = {
    identity: 'x',
    microBatch: 4,
    next: { epoch: 2, index: 1, step: 9 },
    progress: { epochs: [{ steps: 8, loss: 4, ms: 1 }] },
    validation: [null],
    best: { epoch: 1, loss: 0.5, parameters: [Float32Array.of(7)] },
    runner: { steps: 9, tensors: [Float32Array.of(1, 2, 3), Float32Array.of(0.1)] },
  }
  await writeCheckpoint(file, checkpoint)
  assert.equal(await readCheckpoint(file), checkpoint)
  const whole = await readFile(file)
  for (const damaged of [
    whole.subarray(0, whole.length - 3),
    whole.subarray(0, 2),
    Buffer.from('{"version"'),
  ]) {
    await writeFile(file, damaged)
    assert.is(await readCheckpoint(file), undefined)
  }
})

test.run()
