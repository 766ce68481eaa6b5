import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createDetector, detectorStateSchema } from '../../runtime/drift/detector.ts'
import { accuracyNow, lookAtAccuracy, noLabels, withAnswer } from '../../runtime/drift/labelled-accuracy.ts'
import { calmLooksToEnd, nextLevel, stable } from '../../runtime/drift/level.ts'
import type { Observation } from '../../runtime/drift/observation.ts'
import { seededRandom } from '../../runtime/training/random.ts'

const test = suite('drift/detector')

const options = { reference: 500, falseAlarms: 1e-3 }

/** Requests of one kind: top probabilities that pile up at 1, unequal classes, features that depend on each other. */
function requests(seed: number, drift: { probability?: number; classes?: number; features?: number } = {}) {
  const random = seededRandom(seed)
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
  return (): Observation => {
    const common = normal()
    const features = Array.from({ length: 6 }, () => Math.fround(common + normal() + (drift.features ?? 0)))
    const top = 1 - random() ** 4 * (0.5 + (drift.probability ?? 0))
    const predicted = random() < 0.7 - (drift.classes ?? 0) ? 0 : random() < 0.8 ? 1 : 2
    return { predicted, probability: Math.round(top * 1000) / 1000, features }
  }
}

function watch(detector: ReturnType<typeof createDetector>, next: () => Observation, most: number): number {
  for (let count = 1; count <= most; count += 1) if (detector.observe(next()) === 'drifted') return count
  return Number.POSITIVE_INFINITY
}

for (const [kind, drift, within] of [
  ['features', { features: 1.5 }, 150],
  ['classes', { classes: 0.5 }, 150],
  ['features that moved little', { features: 0.6 }, 1000],
] as const) {
  test(`a drift of ${kind} is seen within ${within} requests`, () => {
    const detector = createDetector(options)
    assert.is(watch(detector, requests(1), 1500), Number.POSITIVE_INFINITY)
    const delay = watch(detector, requests(2, drift), within)
    assert.ok(delay <= within, `${delay}`)
    assert.ok((detector.view().findings[0]?.risk ?? 2) <= 1)
  })
}

test('without drift false alarms are no more than their stated rate, at a rate that can be counted', () => {
  // A thousand times the default: looks are the same, and there is something to count.
  const falseAlarms = 1
  let alarms = 0
  let seen = 0
  for (let seed = 1; seed <= 8; seed += 1) {
    const detector = createDetector({ ...options, falseAlarms })
    const next = requests(seed)
    let before = 'stable'
    for (let count = 0; count < 500 + 4000; count += 1) {
      const level = detector.observe(next())
      if (level === 'drifted' && before !== 'drifted') alarms += 1
      before = level
    }
    seen += 4000
  }
  assert.ok(alarms <= (falseAlarms * seen) / 1000, `${alarms} in ${seen}`)
})

test('what is kept of a detector is checked, and goes on as if nothing had been', () => {
  const through = createDetector(options)
  const next = requests(5)
  const all = Array.from({ length: 1300 }, next)
  const drifted = Array.from({ length: 60 }, requests(6, { features: 2 }))
  let restarted = createDetector(options)
  for (const [count, observation] of [...all, ...drifted].entries()) {
    through.observe(observation)
    restarted.observe(observation)
    if ([100, 499, 500, 1233].includes(count)) {
      const kept = detectorStateSchema.parse(JSON.parse(JSON.stringify(restarted.state())))
      restarted = createDetector(options, kept)
    }
  }
  assert.equal(restarted.view(), through.view())
  assert.is(through.view().level, 'drifted')
})

test('a model without features is watched by what it answers', () => {
  const detector = createDetector(options)
  const plain = (next: () => Observation) => () => ({ ...next(), features: undefined })
  watch(detector, plain(requests(1)), 600)
  assert.ok(watch(detector, plain(requests(2, { classes: 0.6 })), 200) <= 200)
})

test('a drift that ends is over after calm', () => {
  const detector = createDetector(options)
  watch(detector, requests(1), 800)
  watch(detector, requests(2, { features: 3 }), 200)
  assert.is(detector.view().level, 'drifted')
  const back = requests(3)
  let count = 0
  while (detector.observe(back()) !== 'stable' && count < 3000) count += 1
  assert.ok(count > 100 && count < 2000, `${count}`)
})

test('levels go up at once and down only after calm', () => {
  assert.is(nextLevel(stable, 51).level, 'stable')
  assert.is(nextLevel(stable, 50).level, 'warning')
  assert.is(nextLevel(stable, 1).level, 'drifted')
  assert.is(nextLevel({ level: 'drifted', calmLooks: 5 }, 20).level, 'drifted')
  assert.is(nextLevel({ level: 'drifted', calmLooks: 5 }, 20).calmLooks, 0)
  let state = nextLevel(stable, 0.5)
  for (let look = 1; look < calmLooksToEnd; look += 1) {
    state = nextLevel(state, 1000)
    assert.is(state.level, 'drifted')
  }
  assert.equal(nextLevel(state, 1000), stable)
})

test('accuracy that falls is seen by labels alone, with its interval', () => {
  let labels = noLabels
  for (let n = 0; n < 100; n += 1) labels = withAnswer(labels, n % 20 !== 0)
  assert.is(accuracyNow(labels)?.value, 0.95)
  assert.is(lookAtAccuracy(labels, 1e-3), undefined)
  for (let n = 0; n < 100; n += 1) labels = withAnswer(labels, n % 20 !== 0)
  assert.ok((lookAtAccuracy(labels, 1e-3)?.risk ?? 0) > 1)
  for (let n = 0; n < 100; n += 1) labels = withAnswer(labels, n % 3 !== 0)
  assert.ok((lookAtAccuracy(labels, 1e-3)?.risk ?? 2) <= 1)
  assert.is(accuracyNow(labels)?.value, 0.66)

  const detector = createDetector(options)
  const next = requests(1)
  for (let n = 0; n < 600; n += 1) detector.observe(next())
  for (let n = 0; n < 100; n += 1) detector.label(true)
  for (let n = 0; n < 100; n += 1) detector.label(n % 2 === 0)
  assert.is(detector.view().level, 'drifted')
  const restarted = createDetector(
    options,
    detectorStateSchema.parse(JSON.parse(JSON.stringify(detector.state()))),
  )
  // Requests that look as ever do not end a drift that labels show.
  for (let n = 0; n < 500; n += 1) detector.observe(next())
  assert.is(detector.view().level, 'drifted')
  for (let n = 0; n < 500; n += 1) restarted.observe(next())
  assert.is(restarted.view().level, 'drifted')
})

test.run()
