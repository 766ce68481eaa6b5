import sharp from 'sharp'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Classifier, openClassifier } from '../../scripts/pictures/classifier.ts'
import { drawLine, drawSheet, type LineOptions } from '../../scripts/pictures/draw-line.ts'
import { driftNames } from '../../scripts/pictures/drift.ts'
import { type FontKind, families } from '../../scripts/pictures/fonts.ts'
import { aspects, heights } from '../../scripts/pictures/frame.ts'
import { makeSet } from '../../scripts/pictures/make-set.ts'
import { randomFrom } from '../../scripts/pictures/random.ts'
import { lineOfText, tokensOf } from '../../scripts/pictures/texts.ts'
import type { TextKind } from '../../scripts/pictures/vocabulary.ts'

const test = suite<{ classifier: Classifier; clean: number }>('scripts/pictures')

test.before(async context => {
  context.classifier = await openClassifier()
})
test.after(context => context.classifier.close())

const line: LineOptions = { seed: 5, label: 'upside-down', text: 'held-out', drift: 'low-light' }

test('the same seed draws the same picture, byte for byte', async () => {
  const [once, again] = [await drawLine(line), await drawLine(line)]
  assert.ok(once.image.equals(again.image))
  assert.is(once.text, again.text)
  assert.not(once.image.equals((await drawLine({ ...line, seed: 6 })).image))
})

test('training and held-out lines share no word and no number', () => {
  const lines = (kind: TextKind) =>
    Array.from({ length: 2000 }, (_, seed) => lineOfText(randomFrom(seed, kind), kind))
  const training = new Set(lines('train').flatMap(tokensOf))
  const heldOut = new Set(lines('held-out').flatMap(tokensOf))
  assert.ok(training.size > 500 && heldOut.size > 500)
  assert.equal(
    [...heldOut].filter(token => training.has(token)),
    [],
  )
})

test('the collections of fonts share no family', () => {
  const names = Object.values(families).flatMap(collection => collection.map(({ name }) => name))
  assert.is(new Set(names).size, names.length)
})

test('an upside-down sheet is the upright one turned by half a circle, in the same frame', async () => {
  const upright = await drawSheet({ ...line, label: 'upright' })
  const upsideDown = await drawSheet({ ...line, label: 'upside-down' })
  assert.equal(upsideDown.frame, upright.frame)
  const { width, height, coverage } = upright.ink
  const turnedBack = Uint8Array.from(coverage, (_, at) => {
    const [row, column] = [Math.floor(at / width), at % width]
    return upsideDown.ink.coverage[(height - 1 - row) * width + (width - 1 - column)] ?? 0
  })
  assert.equal(turnedBack, Uint8Array.from(coverage))
  assert.ok(
    coverage.some(value => value > 200),
    'there is ink',
  )
  assert.ok(
    coverage.some((value, at) => value !== upsideDown.ink.coverage[at]),
    'the sheet has an upper edge',
  )
})

test('pictures are JPEGs of the stated sizes, as many of each label', async () => {
  for (const fonts of ['printed', 'held-out', 'handwriting'] satisfies FontKind[]) {
    const pictures = await makeSet({ count: 20, seed: 3, fonts })
    assert.is(pictures.filter(({ label }) => label === 'upright').length, 10)
    for (const { image } of pictures) {
      const { format, width, height } = await sharp(image).metadata()
      await sharp(image, { failOn: 'warning' }).raw().toBuffer()
      assert.is(format, 'jpeg')
      assert.ok(height >= heights.least && height <= heights.most, `height ${height}`)
      assert.ok(width / height >= aspects.least && width / height <= aspects.most, `${width} x ${height}`)
    }
  }
})

test('a drift of no severity leaves the picture as it is', async () => {
  const { image } = await drawLine({ seed: 8, label: 'upright' })
  for (const drift of driftNames.filter(name => name !== 'handwriting')) {
    const drifted = await drawLine({ seed: 8, label: 'upright', drift })
    const undrifted = await drawLine({ seed: 8, label: 'upright', drift, severity: 0 })
    assert.ok(undrifted.image.equals(image), drift)
    assert.not(drifted.image.equals(image), drift)
  }
})

test('the shipped classifier reads clean pictures', async context => {
  context.clean = await context.classifier.accuracy(await makeSet({ count: 120, seed: 4, text: 'held-out' }))
  assert.ok(context.clean >= 0.97, `accuracy ${context.clean}`)
})

for (const drift of driftNames) {
  test(`the shipped classifier loses 5 points or more under ${drift}`, async ({ classifier, clean }) => {
    const accuracy = await classifier.accuracy(await makeSet({ count: 80, seed: 4, text: 'held-out', drift }))
    assert.ok(accuracy <= clean - 0.05, `accuracy ${accuracy}, clean ${clean}`)
    assert.ok(accuracy > 0.55, `accuracy ${accuracy}: nothing is left to learn from`)
  })
}

test.run()
