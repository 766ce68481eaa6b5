import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { TrainingStep } from '../../runtime/autodiff/index.ts'
import { buildTrainingStep, prepareForTraining } from '../../runtime/autodiff/index.ts'
import { checkRetraining } from '../../runtime/core/definition-schema.ts'
import { sgd, type Trainable } from '../../runtime/core/retraining-definition.ts'
import { readGraph, selectParameters } from '../../runtime/onnx/index.ts'
import { makeBatch } from '../../runtime/training/batch.ts'
import { createControl } from '../../runtime/training/control.ts'
import type { Dataset } from '../../runtime/training/dataset.ts'
import { cacheFeatures } from '../../runtime/training/feature-cache.ts'
import { makeStep } from '../../runtime/training/make-step.ts'
import { seededRandom } from '../../runtime/training/random.ts'
import { sessionOptions } from '../../runtime/training/session-options.ts'
import { simplify } from '../../runtime/training/simplify.ts'
import { createStepRunner } from '../../runtime/training/step-runner.ts'
import { slotData, weightsOf } from '../../runtime/training/weights.ts'
import { realModel } from './real-model.ts'

const test = suite('training/feature-cache')
const dims = [3, 16, 32]
const size = 3 * 16 * 32
const batchSize = 4
const count = 10
const session = sessionOptions({ provider: 'cpu', threads: 1 })
const model = { file: realModel, inputName: 'x', outputName: 'softmax_0.tmp_0', labels: ['0', '180'] }

let folder: string
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
})
test.after(() => rm(folder, { recursive: true, force: true }))

function randomPictures(): Dataset {
  const random = seededRandom(5)
  const pictures = Array.from({ length: count }, (_, index) => ({
    data: Float32Array.from({ length: size }, () => random() * 2 - 1),
    targets: Float32Array.of(1 - (index % 2), index % 2),
  }))
  const at = (index: number) => {
    const picture = pictures[index]
    if (picture === undefined) throw new RangeError(String(index))
    return picture
  }
  return { length: count, get: async index => at(index), target: at }
}

// Not Adam: it makes steps of full length out of gradients that are nothing but rounding.
const optimizer = sgd()
const recipeOf = (trainable: Trainable) =>
  checkRetraining('test', { model: 'm', batchSize, trainable, optimizer })

/** Three steps over the same pictures, and the weights after them. */
async function trainOn(
  dataset: Dataset,
  step: TrainingStep,
  stepDims: readonly number[],
): Promise<Map<string, Float32Array>> {
  const runner = await createStepRunner(
    step,
    slotData(step, readGraph(await readFile(realModel))),
    stepDims,
    session,
  )
  const pictureLength = stepDims.reduce((product, dim) => product * dim, 1)
  for (const first of [0, 4, 8]) {
    const indices = [first, first + 1, (first + 2) % count, (first + 3) % count]
    await runner.run(await makeBatch(dataset, indices, { batchSize, pictureLength, classes: 2 }), 0.01)
  }
  const weights = weightsOf(step, await runner.parameters())
  await runner.close()
  return weights
}

for (const trainable of ['head', { lastBlocks: 2 }, { lastBlocks: 12 }] as const) {
  test(`training ${JSON.stringify(trainable)} on kept features gives the weights of training on pictures`, async () => {
    const bytes = await readFile(realModel)
    const { step, frozen } = await makeStep(bytes, { model, provider: 'cpu' }, recipeOf(trainable), dims)
    if (frozen === undefined) return assert.unreachable('nothing is frozen')
    const control = createControl()
    const file = join(folder, 'features')
    const features = await cacheFeatures(randomPictures(), frozen, {
      file,
      pictureDims: dims,
      session,
      control,
    })
    if (features === undefined) return assert.unreachable('it was stopped')
    assert.is(features.dataset.length, count)
    const kept = await trainOn(features.dataset, step, frozen.dims.slice(1))
    await features.close()
    assert.equal(await readdir(folder), [])

    const graph = readGraph(bytes)
    const names = new Set(selectParameters(graph, trainable))
    const prepared = prepareForTraining(graph, {
      output: model.outputName,
      inputShape: [batchSize, ...dims],
      trainable: name => names.has(name),
    })
    const whole = buildTrainingStep({ ...prepared, graph: await simplify(prepared.graph) }, { optimizer })
    const direct = await trainOn(randomPictures(), whole, dims)

    assert.equal([...kept.keys()].sort(), [...direct.keys()].sort())
    for (const [name, data] of direct) {
      const other = kept.get(name)
      const worst = data.reduce(
        (most, value, index) => Math.max(most, Math.abs(value - (other?.[index] ?? NaN))),
        0,
      )
      assert.ok(worst <= 1e-6, `${name}: ${worst}`)
    }
  })
}

test('a predicate that chooses nothing is refused with the names there are', async () => {
  const error = await makeStep(
    await readFile(realModel),
    { provider: 'cpu', model },
    recipeOf(() => false),
    dims,
  ).catch(error => error)
  assert.is(error.code, 'not-trainable')
  assert.match(error.message, /the model has conv2d_.*\(143\)/)
})

test('training everything keeps no features', async () => {
  const { frozen } = await makeStep(
    await readFile(realModel),
    { model, provider: 'cpu' },
    recipeOf('all'),
    dims,
  )
  assert.is(frozen, undefined)
})

test('a stop while features are computed leaves no file', async () => {
  const { frozen } = await makeStep(
    await readFile(realModel),
    { model, provider: 'cpu' },
    recipeOf('head'),
    dims,
  )
  if (frozen === undefined) return assert.unreachable('nothing is frozen')
  const control = createControl()
  control.command({ type: 'stop' })
  const file = join(folder, 'features')
  assert.is(
    await cacheFeatures(randomPictures(), frozen, { file, pictureDims: dims, session, control }),
    undefined,
  )
  assert.equal(await readdir(folder), [])
})

test.run()
