import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Augmentation } from '../../runtime/core/retraining-definition.ts'
import { augmented, augmentPicture } from '../../runtime/training/augment.ts'
import { seedAt, seededRandom } from '../../runtime/training/random.ts'
import { classWeights, smoothTargets } from '../../runtime/training/sample-weights.ts'

const test = suite('training/augment')

const shape = { width: 8, height: 4, mean: [0.5, 0.4, 0.3], std: [0.5, 0.25, 0.2] }
const plane = shape.width * shape.height
/** Light from 0 to 1 as a network gets it. */
const normalized = (light: (channel: number, x: number, y: number) => number) =>
  Float32Array.from({ length: 3 * plane }, (_, at) => {
    const [channel, x, y] = [Math.floor(at / plane), at % shape.width, Math.floor((at % plane) / shape.width)]
    return (light(channel, x, y) - (shape.mean[channel] ?? 0)) / (shape.std[channel] ?? 1)
  })
const lightOf = (data: Float32Array) =>
  Array.from(data, (value, at) => {
    const channel = Math.floor(at / plane)
    return value * (shape.std[channel] ?? 1) + (shape.mean[channel] ?? 0)
  })
const ramp = normalized((channel, x, y) => 0.2 + 0.05 * x + 0.02 * y + 0.01 * channel)
const flat = normalized(() => 0.4)
const vary = (data: Float32Array, options: Augmentation, seed = 1) =>
  lightOf(augmentPicture(data, shape, options, seededRandom(seed)))
const near = (found: number, expected: number, within = 1e-5) =>
  assert.ok(Math.abs(found - expected) <= within, `${found}, expected ${expected}`)
const seeds = Array.from({ length: 40 }, (_, seed) => seed)

test('with nothing asked for a picture stays as it is', () => {
  for (const [at, light] of vary(ramp, {}).entries()) near(light, lightOf(ramp)[at] ?? 0)
})

test('flip mirrors about half of the pictures, and mirrors them exactly', () => {
  const plain = lightOf(ramp)
  const mirrored = plain.map((_, at) => plain[at - (at % 8) + 7 - (at % 8)] ?? 0)
  const flips = seeds.filter(seed => {
    const found = vary(ramp, { flip: true }, seed)
    const flipped = Math.abs((found[0] ?? 0) - (plain[0] ?? 0)) > 0.01
    for (const [at, light] of found.entries()) near(light, (flipped ? mirrored : plain)[at] ?? 0)
    return flipped
  })
  assert.ok(flips.length > 8 && flips.length < 32, `${flips.length} of 40`)
})

test('crop shows a window of the picture: a ramp stays a ramp, less steep', () => {
  for (const seed of seeds) {
    const row = vary(ramp, { crop: 0.5 }, seed).slice(0, 8)
    // Between the clamped borders, light rises by the window's share of 0.05 a pixel.
    const steps = row.slice(3, 6).map((light, at) => light - (row[at + 2] ?? 0))
    for (const step of steps) assert.ok(step >= 0.0249 && step <= 0.0501, `${step}`)
    assert.ok(Math.min(...row) >= 0.2 - 1e-5 && Math.max(...row) <= 0.61 + 1e-5)
  }
})

test('exposure multiplies light by the same factor everywhere, within its stops', () => {
  const factors = seeds.map(seed => {
    const found = vary(flat, { exposure: 1 }, seed).map(light => light / 0.4)
    for (const factor of found) near(factor, found[0] ?? 0)
    return found[0] ?? 0
  })
  assert.ok(factors.every(factor => factor >= 0.5 && factor <= 2))
  assert.ok(Math.min(...factors) < 0.7 && Math.max(...factors) > 1.4)
})

test('color changes each channel by itself, noise each pixel, and light stays between 0 and 1', () => {
  const tinted = vary(flat, { color: 0.2 })
  const gains = [0, 1, 2].map(channel => (tinted[channel * plane] ?? 0) / 0.4)
  assert.is(new Set(gains).size, 3)
  for (const gain of gains) assert.ok(gain >= 0.8 && gain <= 1.2, `${gain}`)
  const noisy = seeds.flatMap(seed => vary(flat, { noise: 0.1 }, seed))
  const mean = noisy.reduce((sum, light) => sum + light, 0) / noisy.length
  near(mean, 0.4, 0.01)
  assert.ok(new Set(noisy).size > noisy.length / 2)
  const bright = vary(
    normalized(() => 0.99),
    { noise: 1, exposure: 3 },
  )
  assert.ok(bright.every(light => light >= -1e-6 && light <= 1 + 1e-6))
})

test('blur keeps the light of a flat picture, and spreads a point', () => {
  for (const light of vary(flat, { blur: 2 })) near(light, 0.4)
  const point = normalized((_, x, y) => (x === 4 && y === 2 ? 1 : 0))
  const spread = seeds.map(seed => vary(point, { blur: 2 }, seed)[2 * 8 + 4] ?? 1)
  assert.ok(Math.min(...spread) < 0.2 && spread.every(light => light > 0 && light <= 1))
})

test('what is drawn follows from seed, epoch and picture alone', async () => {
  const target = { targets: Float32Array.of(1), weight: 1 }
  const plain = { length: 9, target: () => target, get: async () => ({ ...target, data: ramp }) }
  const options = { crop: 0.3, noise: 0.1 }
  const dataset = (seed: number) => augmented(plain, options, { shape, seed })
  const drawn = async (seed: number, index: number, epoch?: number) =>
    (await dataset(seed).get(index, epoch)).data
  assert.equal(await drawn(1, 3, 2), await drawn(1, 3, 2))
  for (const [seed, index, epoch] of [
    [1, 3, 3],
    [1, 4, 2],
    [2, 3, 2],
  ] as const)
    assert.not.equal(await drawn(seed, index, epoch), await drawn(1, 3, 2))
  assert.equal(await drawn(1, 3), ramp)
  const places = new Set([0, 1, 2].flatMap(a => [0, 1, 2].map(b => seedAt(1, a, b))))
  assert.is(places.size, 9)
})

const files = (counts: Record<string, number>) =>
  Object.entries(counts).flatMap(([label, count]) => Array(count).fill({ file: label, label }))
for (const [what, training, replay, share, weights] of [
  ['even labels', { a: 10, b: 10 }, {}, 1, { a: 1, b: 1 }],
  ['a rare label', { a: 30, b: 10 }, {}, 1, { a: 40 / 60, b: 40 / 20 }],
  [
    'a rare label that half of the reference pictures make up for',
    { a: 30, b: 10 },
    { b: 40 },
    0.5,
    { a: 1, b: 1 },
  ],
  ['a label that none has', { a: 10 }, {}, 1, { a: 1, z: 1 }],
] as const) {
  test(`balanced class weights: ${what}`, () => {
    const weigh = classWeights(
      'balanced',
      { training: files(training), replay: files(replay) },
      ['a', 'b', 'z'],
      share,
    )
    for (const [label, weight] of Object.entries(weights)) near(weigh(label), weight)
  })
}

test('class weights by hand are taken as they are, and a stranger is refused', () => {
  const none = { training: [], replay: [] }
  const weigh = classWeights({ b: 3 }, none, ['a', 'b'], 1)
  assert.equal(['a', 'b'].map(weigh), [1, 3])
  assert.throws(() => classWeights({ c: 3 }, none, ['a', 'b'], 1), /"c" is no label/)
})

test('smoothed targets leave each label a part, and numbers alone', () => {
  const smoothed = (loss: Parameters<typeof smoothTargets>[2]) => [
    ...smoothTargets(Float32Array.of(1, 0, 0, 0), 0.2, loss),
  ]
  for (const [at, target] of smoothed('softmax-cross-entropy').entries()) near(target, at === 0 ? 0.85 : 0.05)
  for (const [at, target] of smoothed('binary-cross-entropy').entries()) near(target, at === 0 ? 0.9 : 0.1)
  assert.equal(smoothed('mean-squared-error'), [1, 0, 0, 0])
})

test.run()
