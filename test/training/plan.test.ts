import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { targetsOf } from '../../runtime/core/labels.ts'
import { makeBatch } from '../../runtime/training/batch.ts'
import { createControl } from '../../runtime/training/control.ts'
import { createDataset } from '../../runtime/training/dataset.ts'
import { planEpoch, stepsPerEpoch } from '../../runtime/training/epoch-plan.ts'
import { learningRateAt } from '../../runtime/training/learning-rate.ts'
import { createProgress } from '../../runtime/training/progress.ts'
import { seededRandom } from '../../runtime/training/random.ts'
import { until } from '../eventually.ts'

const test = suite('training/plan')
const ascending = (a: number, b: number) => a - b

test('an epoch has every sample once, and as many reference pictures as asked for, none twice', () => {
  const shape = { samples: 50, replayPool: 200, replay: 0.5, batchSize: 16 }
  const steps = planEpoch(shape, seededRandom(1))
  const drawn = steps.flat().sort(ascending)
  assert.equal(
    drawn.filter(index => index < 50),
    Array.from({ length: 50 }, (_, index) => index),
  )
  assert.is(new Set(drawn).size, 75)
  assert.ok(drawn.every(index => index < 250))
  assert.equal(
    steps.map(step => step.length),
    [16, 16, 16, 16, 11],
  )
  assert.is(steps.length, stepsPerEpoch(shape))
})

test('a small reference set is used up, not repeated', () => {
  const steps = planEpoch({ samples: 10, replayPool: 3, replay: 1, batchSize: 16 }, seededRandom(1))
  assert.is(steps.flat().length, 13)
})

test('the same seed gives the same epochs, another seed and another epoch do not', () => {
  const shape = { samples: 40, replayPool: 0, replay: 1, batchSize: 8 }
  const [first, again, other] = [seededRandom(7), seededRandom(7), seededRandom(8)]
  const epoch = planEpoch(shape, first)
  assert.equal(planEpoch(shape, again), epoch)
  assert.not.equal(planEpoch(shape, first), epoch)
  assert.not.equal(planEpoch(shape, other), epoch)
})

test('seeds from 0 up give numbers that fill the range from 0 to 1', () => {
  for (const seed of [0, 1, 2, 2 ** 31]) {
    const random = seededRandom(seed)
    const numbers = Array.from({ length: 1000 }, random)
    assert.ok(numbers.every(number => number >= 0 && number < 1))
    const mean = numbers.reduce((sum, number) => sum + number, 0) / 1000
    assert.ok(Math.abs(mean - 0.5) < 0.05, `${seed}: ${mean}`)
  }
})

test('the rate warms up, peaks once at what was asked for, and falls', () => {
  const shape = { warmUp: 0.05, finalRate: 0.1 }
  const rates = Array.from({ length: 200 }, (_, step) =>
    learningRateAt(step, { peak: 0.01, steps: 200, ...shape }),
  )
  const peak = rates.indexOf(Math.max(...rates))
  assert.ok(peak > 0 && peak < 20)
  assert.is(rates[peak], 0.01)
  assert.equal(rates.slice(0, peak), rates.slice(0, peak).sort(ascending))
  assert.equal(rates.slice(peak), rates.slice(peak).sort(ascending).reverse())
  assert.ok(rates.every(rate => rate > 0))
  assert.ok(learningRateAt(0, { peak: 1, steps: 1, ...shape }) > 0)
})

const files = ['a', 'b', 'c'].map(file => ({ file, label: file }))
const read = (label: string) =>
  targetsOf(label, 'softmax-cross-entropy', ['a', 'b', 'c']) ?? new Float32Array()

test('a last batch is filled up with rows that weigh nothing', async () => {
  const dataset = createDataset(files, {
    prepare: async file => Float32Array.of(file.charCodeAt(0), 1),
    read,
    cacheBytes: 1000,
  })
  const batch = await makeBatch(dataset, [2, 0], { batchSize: 4, pictureLength: 2, classes: 3 })
  assert.equal([...batch.images], [99, 1, 97, 1, 0, 0, 0, 0])
  assert.equal([...batch.targets], [0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0])
  assert.equal([...batch.weights], [1, 1, 0, 0])
})

test('pictures are prepared once while they fit into memory, and again beyond it', async () => {
  const prepared: string[] = []
  const dataset = createDataset(files, {
    prepare: async file => {
      prepared.push(file)
      return new Float32Array(4)
    },
    read,
    cacheBytes: 2 * 16,
  })
  for (let epoch = 0; epoch < 2; epoch += 1) for (const index of [0, 1, 2]) await dataset.get(index)
  assert.equal(prepared, ['a', 'b', 'c', 'c'])
})

test('progress is said at most once an interval, with means, and at the very end', () => {
  const said: unknown[] = []
  let now = 0
  const progress = createProgress(event => said.push(event), { intervalMs: 100, now: () => now })
  for (let step = 1; step <= 6; step += 1) {
    now += 40
    progress.step({ epoch: step <= 3 ? 1 : 2, epochs: 2, step, steps: 6, loss: step, ms: step })
  }
  const epochs = { epochs: 2, steps: 6, type: 'progress' }
  assert.equal(said, [
    { ...epochs, epoch: 1, step: 1, loss: 1, stepMs: 1 },
    { ...epochs, epoch: 2, step: 4, loss: 4, stepMs: 3 },
    { ...epochs, epoch: 2, step: 6, loss: 5, stepMs: 5.5 },
  ])
  assert.equal(progress.losses, [2, 5])
})

test('a pause holds the next step until a resume, and a stop ends it even then', async () => {
  const control = createControl()
  assert.ok(await control.mayGoOn())
  control.command({ type: 'pause' })
  let went: boolean | undefined
  const waiting = control.mayGoOn().then(may => {
    went = may
  })
  for (let turn = 0; turn < 5; turn += 1) await new Promise<void>(resolve => setImmediate(resolve))
  assert.is(went, undefined)
  control.command({ type: 'resume' })
  await waiting
  assert.is(went, true)
  control.command({ type: 'pause' })
  const stopped = control.mayGoOn()
  control.command({ type: 'stop' })
  assert.not.ok(await stopped)
})

test('a control that asks lets a step go when it is told to, once for each', async () => {
  const control = createControl()
  let asked = 0
  control.askBefore(() => {
    asked += 1
  })
  for (let step = 1; step <= 2; step += 1) {
    const went = control.mayGoOn()
    await until(() => asked === step)
    control.command({ type: 'pause' })
    control.command({ type: 'go' })
    control.command({ type: 'resume' })
    assert.ok(await went)
  }
  const stopped = control.mayGoOn()
  control.command({ type: 'stop' })
  assert.not.ok(await stopped)
  assert.not.ok(await control.mayGoOn())
  assert.is(asked, 2, 'who was stopped does not ask')
})

test.run()
