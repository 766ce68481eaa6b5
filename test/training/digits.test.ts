/** Training from nothing: a network with random weights learns to read digits, in fonts that it has never seen too. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { buildTrainingStep, prepareForTraining } from '../../runtime/autodiff/index.ts'
import { readGraph, replaceWeights } from '../../runtime/onnx/index.ts'
import { makeBatch } from '../../runtime/training/batch.ts'
import type { Picture } from '../../runtime/training/dataset.ts'
import { planEpoch, stepsPerEpoch } from '../../runtime/training/epoch-plan.ts'
import { learningRateAt } from '../../runtime/training/learning-rate.ts'
import { seededRandom } from '../../runtime/training/random.ts'
import { sessionOptions } from '../../runtime/training/session-options.ts'
import { simplify } from '../../runtime/training/simplify.ts'
import { createStepRunner } from '../../runtime/training/step-runner.ts'
import { slotData, weightsOf } from '../../runtime/training/weights.ts'
import { type Digit, digitSize, drawDigits } from '../../scripts/pictures/draw-digit.ts'
import { DIGIT_CLASSES, DIGIT_DIMS, digitNetwork } from './digit-network.ts'

const test = suite('training from nothing')

const LEAST_ACCURACY = 0.97
const EPOCHS = 4
const batchSize = 32
const options = sessionOptions({ provider: 'cpu', threads: 2 })

test('digits: a convolutional network with random weights reaches 97 %', async () => {
  const network = digitNetwork(1)
  const examples = await drawDigits({ count: 6000, seed: 1, fonts: ['printed', 'handwriting'] })
  const sameFonts = await drawDigits({ count: 500, seed: 2, fonts: ['printed', 'handwriting'] })
  const otherFonts = await drawDigits({ count: 500, seed: 3, fonts: ['held-out'] })
  const before = await accuracy(network, otherFonts)
  const trained = await train(network, examples)
  assert.ok(before < 0.3, `${before} before training`)
  for (const [fonts, digits] of Object.entries({ sameFonts, otherFonts })) {
    const reached = await accuracy(trained, digits)
    console.log(fonts, reached)
    assert.ok(reached >= LEAST_ACCURACY, `${fonts}: ${reached}, expected ${LEAST_ACCURACY}`)
  }
})

/** The bytes of the trained model. */
async function train(network: Uint8Array, digits: readonly Digit[]): Promise<Uint8Array> {
  const prepared = prepareForTraining(readGraph(network), {
    inputShape: [batchSize, ...DIGIT_DIMS],
    trainable: () => true,
    batchNormalization: 'batch',
  })
  const step = buildTrainingStep(
    { ...prepared, graph: await simplify(prepared.graph) },
    { optimizer: { kind: 'adam' } },
  )
  const runner = await createStepRunner(step, slotData(step, readGraph(network)), DIGIT_DIMS, options)
  const picture = (index: number) => pictureOf(digitAt(digits, index))
  const dataset = { length: digits.length, get: async (index: number) => picture(index), target: picture }
  const shape = { samples: digits.length, replayPool: 0, replay: 0, batchSize }
  const steps = EPOCHS * stepsPerEpoch(shape)
  const random = seededRandom(1)
  for (let done = 0; done < steps; ) {
    for (const indices of planEpoch(shape, random)) {
      const batch = await makeBatch(dataset, indices, {
        batchSize,
        classes: DIGIT_CLASSES,
        pictureLength: digitSize ** 2,
      })
      await runner.run(batch, learningRateAt(done, { peak: 3e-3, steps, warmUp: 0.05, finalRate: 0.1 }))
      done += 1
    }
  }
  const weights = weightsOf(step, await runner.parameters())
  await runner.close()
  return replaceWeights(network, weights)
}

function pictureOf({ data, label }: Digit): Picture {
  return {
    data,
    targets: Float32Array.from({ length: DIGIT_CLASSES }, (_, digit) => (digit === label ? 1 : 0)),
  }
}

function digitAt(digits: readonly Digit[], index: number): Digit {
  const digit = digits[index]
  if (digit === undefined) throw new RangeError(`digit ${index} of ${digits.length}`)
  return digit
}

/** Of the model as it serves, with the running statistics of its batch normalization. */
async function accuracy(model: Uint8Array, digits: readonly Digit[]): Promise<number> {
  const session = await InferenceSession.create(model, options)
  const images = new Float32Array(digits.length * digitSize ** 2)
  for (const [row, { data }] of digits.entries()) images.set(data, row * data.length)
  const { logits } = await session.run({
    images: new Tensor('float32', images, [digits.length, ...DIGIT_DIMS]),
  })
  await session.release()
  const scores = Array.from(logits?.data ?? [], Number)
  const right = digits.filter(({ label }, row) => {
    const own = scores.slice(row * DIGIT_CLASSES, (row + 1) * DIGIT_CLASSES)
    return own.indexOf(Math.max(...own)) === label
  })
  return right.length / digits.length
}

test.run()
