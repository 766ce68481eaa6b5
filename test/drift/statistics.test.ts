import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { classProbability, fisherProbability, stabilityIndex } from '../../runtime/drift/class-shift.ts'
import { sketchFeatures, standardizedDistance } from '../../runtime/drift/feature-sketch.ts'
import {
  distanceFrom,
  distanceProbability,
  placeOf,
  rankReference,
} from '../../runtime/drift/ranked-reference.ts'
import { wilsonShare } from '../../runtime/drift/wilson.ts'
import { seededRandom } from '../../runtime/training/random.ts'

const test = suite('drift/statistics')

const near = (actual: number, expected: number, tolerance: number) =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual}, expected ${expected}`)

/** The definition, on plain numbers: the greatest difference of the shares that are at most (and below) each value. */
function bruteDistance(a: readonly number[], b: readonly number[]): number {
  const share = (numbers: readonly number[], fits: (n: number) => boolean) =>
    numbers.filter(fits).length / numbers.length
  return Math.max(
    ...[...a, ...b].flatMap(x => [
      Math.abs(share(a, n => n <= x) - share(b, n => n <= x)),
      Math.abs(share(a, n => n < x) - share(b, n => n < x)),
    ]),
  )
}

function distance(reference: readonly number[], window: readonly number[]): number {
  const ranked = rankReference(reference)
  const places = new Uint16Array(2 * ranked.values.length + 1)
  for (const number of window) {
    const place = placeOf(ranked, number)
    places[place] = (places[place] ?? 0) + 1
  }
  return distanceFrom(ranked, places, window.length)
}

test('the distance by places is that of the definition, with ties, gaps and values beyond either end', () => {
  const random = seededRandom(3)
  for (let round = 0; round < 300; round += 1) {
    // Few different values make ties, within each side and between them.
    const kinds = 2 + Math.floor(random() * 30)
    const draw = (count: number, shift: number) =>
      Array.from({ length: count }, () => Math.floor(random() * kinds) + shift)
    const reference = draw(1 + Math.floor(random() * 40), 0)
    const window = draw(1 + Math.floor(random() * 40), Math.floor(random() * 5) - 2)
    near(distance(reference, window), bruteDistance(reference, window), 1e-12)
  }
})

test('two samples that share no range are as far apart as can be', () => {
  assert.is(distance([1, 2, 3], [4, 5]), 1)
  assert.is(distance([4, 5], [1, 2, 3]), 1)
  assert.is(distance([1, 1, 2], [1, 1, 2]), 0)
})

test('the probability of a distance is that of the tables', () => {
  // Critical values of the Kolmogorov distribution: 1.2238 at 10 %, 1.3581 at 5 %, 1.6276 at 1 %.
  for (const [lambda, probability] of [
    [1.2238, 0.1],
    [1.3581, 0.05],
    [1.6276, 0.01],
    [1.9495, 0.001],
  ] as const) {
    near(distanceProbability(lambda / Math.sqrt(500), 1000, 1000), probability, probability * 2e-3)
  }
  assert.is(distanceProbability(0, 50, 800), 1)
})

test('undrifted samples are as far apart as the probability says, or less often', () => {
  const random = seededRandom(11)
  const draw = (count: number) => Array.from({ length: count }, random)
  const rounds = 1500
  let below = 0
  for (let round = 0; round < rounds; round += 1) {
    const found = distance(draw(160), draw(50))
    if (distanceProbability(found, 50, 160) <= 0.05) below += 1
  }
  // Three standard deviations above 5 % of the rounds.
  assert.ok(below / rounds <= 0.05 + 3 * Math.sqrt((0.05 * 0.95) / rounds), `${below} of ${rounds}`)
  assert.ok(below / rounds >= 0.015, `${below} of ${rounds}: it says nothing`)
})

test("Fisher's test agrees with the tea taster and with counting all tables", () => {
  // Fisher 1935: 3 of 4 cups right on either side; one-sided 17/70.
  near(fisherProbability([1, 4], [3, 4], 'less'), 17 / 70, 1e-12)
  near(fisherProbability([1, 4], [3, 4]), 34 / 70, 1e-12)
  const choose = (n: number, k: number): number => (k === 0 ? 1 : k > n ? 0 : (choose(n - 1, k - 1) * n) / k)
  for (const [hits, size, other, all] of [
    [0, 10, 9, 12],
    [7, 10, 2, 30],
    [10, 10, 1, 15],
    [3, 20, 30, 40],
  ] as const) {
    const total = hits + other
    let less = 0
    for (let count = 0; count <= hits; count += 1) {
      less += (choose(size, count) * choose(all, total - count)) / choose(size + all, total)
    }
    near(fisherProbability([hits, size], [other, all], 'less'), less, 1e-9)
  }
})

test('far tails neither vanish nor grow', () => {
  const far = fisherProbability([50, 50], [8, 800])
  assert.ok(far > 0 && far < 1e-40, `${far}`)
  assert.is(fisherProbability([0, 50], [0, 800]), 1)
  assert.is(fisherProbability([50, 50], [800, 800]), 1)
})

test('complete separation is surely less on one side, and surely not on the other', () => {
  // So unlikely that the table has no probability as a number.
  assert.is(fisherProbability([0, 640], [640, 640], 'less'), 0)
  near(fisherProbability([640, 640], [0, 640], 'less'), 1, 1e-12)
  near(fisherProbability([320, 320], [0, 2880], 'less'), 1, 1e-12)
  near(fisherProbability([300, 1000], [300, 1000], 'less'), 0.5, 0.05)
})

test('classes in the same shares say nothing, and one that takes over says it', () => {
  assert.is(classProbability([25, 25], [400, 400]), 1)
  assert.ok(classProbability([45, 5], [400, 400]) < 1e-6)
  assert.is(classProbability([0, 0], [400, 400]), 1)
  near(stabilityIndex([2500, 2500], [400, 400]), 0, 1e-9)
  // Shares 0.6 and 0.4 against halves: 0.1 ln 1.2 - 0.1 ln 0.8.
  near(stabilityIndex([6000, 4000], [5000, 5000]), 0.1 * Math.log(1.2) - 0.1 * Math.log(0.8), 1e-4)
  assert.ok(Number.isFinite(stabilityIndex([10, 0], [0, 10])))
})

test("Wilson's interval is that of the formula, and lies within 0 and 1", () => {
  const share = wilsonShare(81, 263)
  // Newcombe 1998, table I: 81 of 263 has 0.2553 to 0.3662.
  near(share?.interval[0] ?? 0, 0.2553, 5e-5)
  near(share?.interval[1] ?? 0, 0.3662, 5e-5)
  assert.equal(wilsonShare(0, 20)?.interval[0], 0)
  assert.equal(wilsonShare(20, 20)?.interval[1], 1)
  assert.is(wilsonShare(0, 0), undefined)
})

test('the standardized distance counts deviations, and leaves out what never varied', () => {
  const sketch = sketchFeatures([
    [0, 10, 5],
    [2, 30, 5],
    [4, 50, 5],
  ])
  assert.equal(sketch.mean, [2, 30, 5])
  assert.equal(sketch.deviation, [2, 20, 0])
  near(standardizedDistance(sketch, [2, 30, 99]), 0, 0)
  near(standardizedDistance(sketch, [8, 30, 5]), Math.sqrt(9 / 2), 1e-12)
})

test.run()
