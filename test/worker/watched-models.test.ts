import { Tensor } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ModelHandle } from '../../runtime/core/definition.ts'
import type { ModelSaid } from '../../runtime/core/messages.ts'
import { seededRandom } from '../../runtime/training/random.ts'
import { isCaptured } from '../../runtime/worker/capture.ts'
import { foldedLength, foldFeatures } from '../../runtime/worker/features.ts'
import { watchModels } from '../../runtime/worker/watched-models.ts'
import { createDeploymentModel } from '../drift/fixtures.ts'

const test = suite('worker/watched-models')

const tensor = (values: number[], ...dims: number[]) => new Tensor('float32', Float32Array.from(values), dims)

async function saidBy(
  outputs: Record<string, Tensor>,
  activation: 'none' | 'softmax' = 'none',
  features?: Tensor,
) {
  const said: ModelSaid[] = []
  const handle = { labels: ['a', 'b', 'c'], run: async () => outputs } as unknown as ModelHandle
  const model = createDeploymentModel({ outputs: [{ name: 'y', activation }] })
  const watched = new Map([['net', { model, features: features && { of: () => features, pooled: false } }]])
  const models = watchModels({ net: handle, other: handle }, watched, said)
  assert.is(await models.net?.run({}), outputs)
  await models.other?.run({})
  return said
}

test('scores become the class and its probability, rows each their own', async () => {
  const said = await saidBy({ z: tensor([1], 1, 1), y: tensor([0, 2, 1, 5, 5, 9], 2, 3) })
  assert.equal(
    said.map(({ predicted }) => predicted),
    [1, 2],
  )
  const exact = Math.exp(2) / (1 + Math.exp(1) + Math.exp(2))
  assert.ok(Math.abs((said[0]?.probability ?? 0) - exact) < 1e-6)
  assert.is(said[0]?.features, undefined)
})

test('what is a probability already is kept as it is', async () => {
  const [said] = await saidBy({ y: tensor([0.25, 0.5, 0.25], 1, 3) }, 'softmax')
  assert.is(said?.probability, 0.5)
})

test('an output that has no score a label says nothing', async () => {
  assert.equal(await saidBy({ y: tensor([1, 2, 3, 4], 1, 4) }), [])
  // Labels of a text's characters: a row a place in the text, and none a picture.
  assert.equal(await saidBy({ y: tensor([1, 2, 3, 4, 5, 6], 1, 2, 3) }), [])
})

test('scores that overflowed say nothing, and features that did are left out', async () => {
  assert.equal(await saidBy({ y: tensor([Number.NaN, 1, 2], 1, 3) }), [])
  const [said] = await saidBy(
    { y: tensor([0, 1, 2], 1, 3) },
    'none',
    tensor([1, Number.POSITIVE_INFINITY], 1, 2),
  )
  assert.is(said?.predicted, 2)
  assert.is(said?.features, undefined)
})

test('features go with the row that they belong to', async () => {
  const said = await saidBy({ y: tensor([0, 2, 1, 5, 5, 9], 2, 3) }, 'none', tensor([1, 2, 3, 4], 2, 2))
  assert.equal(
    said.map(({ features }) => Array.from(features ?? [], Math.abs)),
    [
      [1, 2],
      [3, 4],
    ],
  )
})

test('a thousand features fold into a few, positions are averaged, and a shape that does not fit gives nothing', () => {
  const wide = new Float32Array(1024)
  wide[1023] = 4
  const folded = foldFeatures(new Tensor('float32', wide, [1, 1024]), 0, 1, false)
  assert.is(folded?.length, foldedLength)
  assert.equal(
    Array.from(folded ?? [], Math.abs).filter(value => value !== 0),
    [4],
  )
  // Two positions of three features: the last axis, and the second one where it is pooled.
  const tokens = foldFeatures(tensor([1, 2, 3, 3, 4, 5], 1, 2, 3), 0, 1, false)
  assert.equal(Array.from(tokens ?? [], Math.abs), [2, 3, 4])
  const pooled = foldFeatures(tensor([7, 8, 9], 1, 3, 1, 1), 0, 1, true)
  assert.equal(Array.from(pooled ?? [], Math.abs), [7, 8, 9])
  assert.is(foldFeatures(tensor([1, 2], 2, 1), 0, 1, false), undefined)
})

test('captures take the share of all, and of the uncertain ones the larger share', () => {
  const random = seededRandom(4)
  const capture = { share: 0.1, uncertain: { below: 0.6, share: 0.5 } }
  const share = (probability: number | undefined) =>
    Array.from({ length: 4000 }, () => isCaptured(capture, probability, random)).filter(Boolean).length / 4000
  assert.ok(Math.abs(share(0.9) - 0.1) < 0.02)
  assert.ok(Math.abs(share(0.5) - 0.55) < 0.03)
  assert.is(share(undefined), 0)
  const never = { share: 0, uncertain: { below: 0.7, share: 0 } }
  assert.not.ok(isCaptured(never, 0.1, () => 0))
})

test.run()
