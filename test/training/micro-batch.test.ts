import { readFile } from 'node:fs/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkRetraining } from '../../runtime/core/definition-schema.ts'
import { CorunError } from '../../runtime/core/errors.ts'
import {
  adam,
  type Optimizer,
  type RetrainingDefinition,
  sgd,
} from '../../runtime/core/retraining-definition.ts'
import { readGraph } from '../../runtime/onnx/index.ts'
import { partsOf } from '../../runtime/training/accumulating-runner.ts'
import type { Batch } from '../../runtime/training/batch.ts'
import { chooseMicroBatch, equalParts } from '../../runtime/training/choose-micro-batch.ts'
import { makeStep } from '../../runtime/training/make-step.ts'
import { openRunner } from '../../runtime/training/open-runner.ts'
import { seededRandom } from '../../runtime/training/random.ts'
import { weightsOf } from '../../runtime/training/weights.ts'
import { realModel } from './real-model.ts'

const test = suite('training/micro-batches')

/** `bytes`: what a step with so many pictures takes. */
const choices: [
  what: string,
  memoryBytes: number,
  bytes: (n: number) => number,
  chosen: number,
  tried: number[],
][] = [
  ['plenty of memory: one measurement says so', 16_000, () => 1000, 16, [1]],
  ['the whole batch by its line', 3000, n => 1000 + 50 * n, 16, [1, 2, 16]],
  ['half of it', 1600, n => 1000 + 50 * n, 8, [1, 2, 8]],
  ['a line that was too hopeful', 1600, n => 1000 + 45 * n + n ** 3, 6, [1, 2, 8, 6]],
  ['two', 1150, n => 1000 + 50 * n, 2, [1, 2]],
  ['one', 1080, n => 1000 + 50 * n, 1, [1, 2]],
]

for (const [what, memoryBytes, bytes, chosen, tried] of choices) {
  test(`fits the budget: ${what}`, async () => {
    const measured: number[] = []
    const measure = async (pictures: number) => {
      measured.push(pictures)
      return bytes(pictures)
    }
    assert.is(await chooseMicroBatch({ batchSize: 16, memoryBytes, measure }), chosen)
    assert.equal(measured, tried)
  })
}

test('a step that does not fit with one picture is refused, and says what it takes', async () => {
  const error = await chooseMicroBatch({
    batchSize: 4,
    memoryBytes: 100 * 2 ** 20,
    measure: async () => 300 * 2 ** 20,
  }).catch(caught => caught)
  assert.ok(error instanceof CorunError && error.code === 'not-trainable')
  assert.match(error.message, '300 MiB')
  assert.match(error.message, '100 MiB')
})

test('a batch is taken in equal parts', () => {
  assert.equal(equalParts(16), [16, 8, 6, 4, 3, 2, 1])
  assert.equal(equalParts(1), [1])
})

test('parts hold all rows once, and the last is filled with rows that weigh nothing', () => {
  const batch = {
    images: Float32Array.of(1, 2, 3, 4, 5, 6),
    targets: Float32Array.of(7, 8, 9),
    weights: Float32Array.of(1, 1, 1),
    count: 3,
  }
  const parts = partsOf(batch, 2)
  assert.equal(
    parts.map(part => [[...part.images], [...part.targets], [...part.weights], part.count]),
    [
      [[1, 2, 3, 4], [7, 8], [1, 1], 2],
      [[5, 6, 0, 0], [9, 0], [1, 0], 1],
    ],
  )
})

const dims = [3, 16, 32]
const batchSize = 5
const model = { file: realModel, inputName: 'x', outputName: 'softmax_0.tmp_0', labels: ['0', '180'] }

function batches(): Batch[] {
  const random = seededRandom(7)
  return [5, 3, 4].map(count => {
    const targets = new Float32Array(batchSize * 2)
    for (let row = 0; row < count; row += 1) targets[row * 2 + (row % 2)] = 1
    return {
      images: Float32Array.from({ length: batchSize * 3 * 16 * 32 }, () => random() * 2 - 1),
      targets,
      weights: Float32Array.from({ length: batchSize }, (_, row) => (row < count ? 1 : 0)),
      count,
    }
  })
}

async function train(definition: Partial<RetrainingDefinition>, microBatch: number, learningRate: number) {
  const bytes = await readFile(realModel)
  const recipe = checkRetraining('test', { model: 'm', batchSize, ...definition })
  const { step } = await makeStep(bytes, { model, provider: 'cpu' }, recipe, dims, microBatch)
  const runner = await openRunner(step, readGraph(bytes), dims, { provider: 'cpu', threads: 1 })
  const losses: number[] = []
  for (const batch of batches()) losses.push(await runner.run(batch, learningRate))
  const weights = weightsOf(step, await runner.parameters())
  await runner.close()
  return { losses, weights }
}

/** Largest difference of two sets of weights, in the weights' own unit. */
function distance(a: ReadonlyMap<string, Float32Array>, b: ReadonlyMap<string, Float32Array>): number {
  let largest = 0
  for (const [name, data] of a) {
    for (const [index, value] of data.entries()) {
      largest = Math.max(largest, Math.abs(value - (b.get(name)?.[index] ?? Number.NaN)))
    }
  }
  return largest
}

const optimizers: Record<string, Optimizer> = { sgd: sgd(), 'sgd and Nesterov': sgd({ nesterov: true }) }
for (const [name, optimizer] of Object.entries(optimizers)) {
  test(`steps in parts make the weights of whole steps: ${name}`, async () => {
    const whole = await train({ optimizer }, batchSize, 0.01)
    const parts = await train({ optimizer }, 2, 0.01)
    assert.is([...whole.weights.keys()].join(), [...parts.weights.keys()].join())
    assert.ok(distance(whole.weights, parts.weights) < 1e-6)
    for (const [index, loss] of whole.losses.entries()) {
      assert.ok(Math.abs(loss - (parts.losses[index] ?? Number.NaN)) < 1e-5)
    }
  })
}

test('steps in parts keep averages, and clip the whole gradient', async () => {
  const options = { optimizer: sgd(), averaging: 0.9, clipNorm: 0.5 }
  const whole = await train(options, batchSize, 0.05)
  const parts = await train(options, 2, 0.05)
  assert.ok(distance(whole.weights, parts.weights) < 1e-6)
})

test('the candidate of an averaging retraining is the average, not the last step', async () => {
  const last = await train({ optimizer: sgd() }, batchSize, 0.05)
  const averaged = await train({ optimizer: sgd(), averaging: 0.9 }, batchSize, 0.05)
  assert.equal(averaged.losses, last.losses)
  assert.ok(distance(averaged.weights, last.weights) > 1e-5)
})

test('gradients are clipped to their norm: a plain step is no longer than that', async () => {
  const optimizer = sgd({ momentum: 0 })
  const start = await train({ optimizer }, batchSize, 0)
  const clipped = await train({ optimizer, clipNorm: 1e-3 }, batchSize, 1)
  let squares = 0
  for (const [name, data] of start.weights) {
    for (const [index, value] of data.entries())
      squares += (value - (clipped.weights.get(name)?.[index] ?? Number.NaN)) ** 2
  }
  // Three steps of rate 1.
  assert.ok(Math.sqrt(squares) <= 3e-3 * 1.001, `${Math.sqrt(squares)}`)
})

test('statistics of batch normalization stay, or follow the batches and are in the candidate', async () => {
  const frozen = await train({ optimizer: adam() }, batchSize, 1e-3)
  const moving = await train({ optimizer: adam(), batchNormalization: 'batch' }, batchSize, 1e-3)
  const statistics = [...moving.weights.keys()].filter(name => !frozen.weights.has(name))
  assert.ok(statistics.length > 30, `${statistics.length} running statistics`)
  const { initializers } = readGraph(await readFile(realModel))
  const moved = statistics.filter(name => {
    const before = initializers.get(name)?.data
    return moving.weights.get(name)?.some((value, index) => value !== Number(before?.[index]))
  })
  assert.is(moved.length, statistics.length)
})

test.run()
