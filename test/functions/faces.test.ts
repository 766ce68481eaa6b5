import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { findFaces } from '../../functions/faces/find-faces.ts'
import { openGallery } from '../../functions/faces/gallery.ts'
import { bestMatch } from '../../functions/faces/match.ts'
import { photograph, retakes } from '../../scripts/faces/samples.ts'
import { answerOf, jsonOf, workbench } from '../pool/harness.ts'

type Context = {
  folder: string
  bench: Awaited<ReturnType<typeof workbench>>
  call(method: string, path: string, body?: Uint8Array): Promise<{ status: number; json: () => Json }>
}
// biome-ignore lint/suspicious/noExplicitAny: answers of several shapes, each held against what is expected
type Json = any
const test = suite<Context>('functions/faces')

test.before(async context => {
  context.folder = await mkdtemp(join(tmpdir(), 'corun-faces-'))
  context.bench = await workbench({ threads: 2 })
  const deployment = await context.bench.deployShipped('faces')
  context.call = async (method, path, body = new Uint8Array()) => {
    const url = `http://box/fn/faces${path}`
    const reply = await context.bench.invoke(deployment, { method, url, body }, 60_000)
    return { status: answerOf(reply).status, json: () => jsonOf(reply) }
  }
})
test.after(async ({ bench, folder }) => {
  await bench.close()
  await rm(folder, { recursive: true, force: true })
})

/** What the detector says of nothing, but for these anchors of the coarse grid (8 x 8 cells of 6). */
function coarse(seen: { anchor: number; score: number; box: number[] }[]) {
  const nothing = (anchors: number) => ({
    scores: new Float32Array(anchors).fill(-20),
    boxes: new Float32Array(anchors * 16),
  })
  const [fine, wide] = [nothing(512), nothing(384)]
  for (const { anchor, score, box } of seen) {
    wide.scores[anchor] = score
    wide.boxes.set(box, anchor * 16)
  }
  return [fine, wide]
}

test('a face lies where its anchor and its numbers say, with its eyes from left to right', () => {
  // Cell 9 is the second of the second row: its middle is at 48 of 256 pixels.
  const box = [16, -16, 64, 80, 20, -8, -4, -8, 0, 0, 0, 0, 0, 0, 0, 0]
  const [face, ...others] = findFaces(coarse([{ anchor: 9 * 6 + 2, score: 2, box }]))
  assert.equal(others, [])
  assert.equal([face?.x, face?.y, face?.width, face?.height], [0.25, 0.125, 0.25, 0.3125])
  assert.equal(face?.eyes, [
    [44 / 256, 40 / 256],
    [68 / 256, 40 / 256],
  ])
  assert.ok(Math.abs((face?.score ?? 0) - 1 / (1 + Math.exp(-2))) < 1e-6)
})

test('boxes that overlap are one face, the surest; those apart are two; unsure ones none', () => {
  const box = (x: number) => [x, 0, 60, 60, ...Array(12).fill(0)]
  const found = findFaces(
    coarse([
      { anchor: 0, score: 2, box: box(100) },
      { anchor: 1, score: 3, box: box(104) },
      { anchor: 2, score: 1, box: box(200) },
      { anchor: 3, score: -1, box: box(0) },
    ]),
  )
  assert.equal(
    found.map(({ x }) => Math.round(x * 256)),
    [120, 216],
  )
})

test('a face is that of the most similar picture, and nobody’s below the threshold', () => {
  const people = [
    { name: 'Ada', vectors: [Float32Array.of(1, 0), Float32Array.of(0.8, 0.6)] },
    { name: 'Bob', vectors: [Float32Array.of(0, 1)] },
  ]
  assert.equal(bestMatch(Float32Array.of(0.8, 0.6), people, 0.9), { name: 'Ada', similarity: 1 })
  assert.equal(bestMatch(Float32Array.of(0, 1), people, 0.9), { name: 'Bob', similarity: 1 })
  assert.equal(bestMatch(Float32Array.of(0, -1), people, 0.9), { name: null, similarity: 0 })
  assert.equal(bestMatch(Float32Array.of(0, -1), [], 0.9), { name: null, similarity: null })
})

test('what one thread enrols or removes, another one sees; a person has ten pictures at most', async ({
  folder,
}) => {
  const [one, other] = [openGallery(folder), openGallery(folder)]
  assert.equal(await one.people(), [])
  for (let picture = 1; picture <= 12; picture += 1) {
    assert.is(await one.enrol('Åsa 1/2 ..', Float32Array.of(picture, 0)), Math.min(picture, 10))
  }
  const [person, ...others] = await other.people()
  assert.equal([person?.name, person?.vectors.length, others.length], ['Åsa 1/2 ..', 10, 0])
  assert.equal(await readdir(folder), ['people'], 'no name leads out of the folder')
  assert.is(await other.remove('Åsa 1/2 ..'), true)
  assert.equal(await one.people(), [])
  assert.is(await one.remove('Åsa 1/2 ..'), false)
})

test('a person who was enrolled is known again in a retake, the others in it are not, and nobody is after removal', async ({
  call,
}) => {
  const photo = await photograph(3)
  const { faces } = (await call('POST', '', photo)).json()
  assert.is(faces.length, 3)
  assert.ok(faces.every((face: Json) => face.name === null && face.similarity === null && face.score > 0.5))

  const cut = async ([left, top, width, height]: number[]) =>
    sharp(photo)
      .extract({
        left: Math.round((left ?? 0) - (width ?? 0) / 2),
        top: Math.round((top ?? 0) - (height ?? 0) / 2),
        width: Math.round((width ?? 0) * 2),
        height: Math.round((height ?? 0) * 2),
      })
      .jpeg()
      .toBuffer()
  const [, wanted] = faces
  const enrolled = await call('POST', '/people/Guest%20One', await cut(wanted.box))
  assert.is(enrolled.status, 201)
  assert.is(enrolled.json().pictures, 1)
  assert.equal((await call('GET', '/people')).json(), [{ name: 'Guest One', pictures: 1 }])

  const retake = await retakes.smaller?.(photo)
  const seen = (await call('POST', '', retake)).json().faces
  const scale = 1200 / 1920
  for (const face of seen) {
    const same = Math.abs(face.box[0] - wanted.box[0] * scale) < wanted.box[2] * scale * 0.5
    assert.is(face.name, same ? 'Guest One' : null, JSON.stringify(seen))
  }
  assert.is(seen.filter((face: Json) => face.name !== null).length, 1)

  assert.is((await call('DELETE', '/people/Guest%20One')).status, 204)
  assert.is((await call('DELETE', '/people/Guest%20One')).status, 404)
  const after = (await call('POST', '', retake)).json().faces
  assert.ok(after.every((face: Json) => face.name === null))
})

test('what cannot be enrolled or found is refused by name', async ({ call }) => {
  const blank = await sharp({ create: { width: 64, height: 64, channels: 3, background: '#888' } })
    .png()
    .toBuffer()
  for (const [method, path, body, status, code] of [
    ['POST', '/people/a', await photograph(3), 422, 'several-faces'],
    ['POST', '/people/a', blank, 422, 'no-face'],
    ['POST', '/people/a', new Uint8Array(9), 422, 'invalid-image'],
    ['POST', '', new Uint8Array(9), 422, 'invalid-image'],
    ['POST', '/people/%2e%2e%2fa', blank, 422, 'invalid-name'],
    ['POST', '/people/%ff', blank, 422, 'invalid-name'],
    ['PUT', '/people/a', blank, 405, 'method-not-allowed'],
    ['GET', '', undefined, 405, 'method-not-allowed'],
    ['GET', '/others', undefined, 404, 'unknown-path'],
  ] as const) {
    const answer = await call(method, path, body)
    assert.equal([answer.status, answer.json().code], [status, code], `${method} ${path}`)
  }
})

test.run()
