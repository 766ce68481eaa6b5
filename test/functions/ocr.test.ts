import sharp from 'sharp'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeText } from '../../functions/ocr/decode-text.ts'
import { findLines } from '../../functions/ocr/find-lines.ts'
import { cornersOf, type Point, smallestRectangle } from '../../functions/ocr/rectangle.ts'
import { drawPage, type Page } from '../../scripts/pictures/draw-page.ts'
import { answerOf, jsonOf, type Reply, workbench } from '../pool/harness.ts'

type Context = { bench: Awaited<ReturnType<typeof workbench>>; invoke(body: Uint8Array): Promise<Reply> }
const test = suite<Context>('functions/ocr')

test.before(async context => {
  context.bench = await workbench({ threads: 1 })
  const deployment = await context.bench.deployShipped('ocr')
  context.invoke = body => context.bench.invoke(deployment, { body }, 60_000)
})
test.after(({ bench }) => bench.close())

interface Read {
  width: number
  height: number
  lines: { text: string; upsideDown: boolean; box: Point[] }[]
}

const lettersOf = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, '')

/** The line whose box has the drawn line's middle in it. */
function lineAt({ lines }: Read, { x, y }: Page['lines'][number]) {
  return lines.find(({ box }) =>
    box.every(([ax, ay], corner) => {
      const [bx, by] = box[(corner + 1) % 4] ?? [0, 0]
      return (bx - ax) * (y - ay) - (by - ay) * (x - ax) >= 0
    }),
  )
}

for (const [what, angle] of [
  ['lies straight', 0],
  ['is held at an angle', -5],
  ['is upside down', 180],
] as const) {
  test(`a page that ${what}: 3 of 4 lines and more are read letter by letter, where they are`, async ({
    invoke,
  }) => {
    const page = await drawPage({ seed: 21, lines: 4, angle })
    const found: Read = jsonOf(await invoke(page.image))
    assert.equal([found.width, found.height], [page.width, page.height])
    const right = page.lines.filter(drawn => {
      const line = lineAt(found, drawn)
      return line && lettersOf(line.text) === lettersOf(drawn.text) && line.upsideDown === (angle === 180)
    })
    assert.ok(right.length >= 3, JSON.stringify([page.lines, found.lines]))
    assert.is(found.lines.length, page.lines.length, 'nothing is read where nothing is')
  })
}

test('an empty page has no lines', async ({ invoke }) => {
  const image = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#eee' } })
    .jpeg()
    .toBuffer()
  assert.equal(jsonOf(await invoke(image)), {
    width: 300,
    height: 200,
    lines: [],
  })
})

test('what is no picture is answered 422', async ({ invoke }) => {
  const { status, body } = answerOf(await invoke(Buffer.from('no picture')))
  assert.is(status, 422)
  assert.is(JSON.parse(new TextDecoder().decode(body)).code, 'invalid-image')
})

/** Scores of one step a number: that class has most of it. */
function steps(classes: number, path: readonly number[]): Float32Array {
  const scores = new Float32Array(classes * path.length).fill(0.1 / classes)
  for (const [step, best] of path.entries()) scores[step * classes + best] = 0.9
  return scores
}

for (const { path, text } of [
  { path: [1, 1, 2], text: 'ab' },
  { path: [1, 0, 1], text: 'aa' },
  { path: [0, 0, 0], text: '' },
  { path: [3, 4, 4, 0, 1, 0], text: 'c a' },
]) {
  test(`the path ${path.join(' ')} is "${text}": repeats are one character, blanks part them, the last class is a space`, () => {
    assert.is(decodeText(steps(5, path), ['a', 'b', 'c']).text, text)
  })
}

test('the smallest rectangle around a turned one is that one', () => {
  for (const degrees of [-40, -13, 0, 27, 44]) {
    const drawn = { x: 50, y: 40, width: 60, height: 11, angle: (degrees * Math.PI) / 180 }
    const found = smallestRectangle(cornersOf(drawn))
    for (const key of ['x', 'y', 'width', 'height', 'angle'] as const) {
      assert.ok(
        Math.abs(found[key] - drawn[key]) < 1e-6,
        `${degrees}: ${key} ${found[key]}, not ${drawn[key]}`,
      )
    }
  }
})

test('lines are the connected parts of the map, grown; faint ones and specks are none', () => {
  const [width, height] = [80, 60]
  const map = new Float32Array(width * height)
  const fill = (left: number, top: number, wide: number, high: number, value: number) => {
    for (let y = top; y < top + high; y += 1) map.fill(value, y * width + left, y * width + left + wide)
  }
  fill(45, 10, 20, 6, 0.9)
  fill(10, 11, 20, 6, 0.8)
  fill(10, 30, 40, 6, 0.5)
  fill(70, 50, 2, 2, 0.9)
  const found = findLines(map, width, height)
  assert.equal(
    found.map(({ x, y }) => [x, y]),
    [
      [20, 14],
      [55, 13],
    ],
  )
  // 20 x 6: area 120, perimeter 52, so each side moves by 120 * 1.5 / 52.
  assert.ok(Math.abs((found[0]?.height ?? 0) - (6 + (2 * 120 * 1.5) / 52)) < 1e-9)
})

test.run()
