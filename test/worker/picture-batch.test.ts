import { Tensor } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { image, type ModelHandle } from '../../runtime/core/definition.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { invoke } from '../../runtime/worker/invoke.ts'
import type { RunModel } from '../../runtime/worker/model-handle.ts'
import { makeSet } from '../../scripts/pictures/make-set.ts'

const test = suite('worker/picture-batch')

test('the pictures of one request go through a model in one run', async () => {
  const rows: number[] = []
  const run: RunModel = async ({ input }) => {
    const count = input?.dims[0] ?? 0
    rows.push(count)
    return {
      output: new Tensor(
        'float32',
        Float32Array.from({ length: count }, (_, at) => at),
        [count, 1],
      ),
    }
  }
  const handles = (gather: (run: RunModel) => RunModel) => ({
    // A stand-in handle: the handler below only runs it.
    net: { run: gather(run) } as unknown as ModelHandle,
  })
  const description = {
    form: 'handler' as const,
    timeoutMs: 1000,
    input: { kind: 'bytes' as const },
    models: {},
    outputSchema: undefined,
  }
  const pictures = (await makeSet({ count: 3, seed: 5 })).map(({ image }) =>
    Buffer.from(image).toString('base64'),
  )
  const answer = await invoke(
    {
      deployment: { id: 'v', function: 'f', bundle: '', bundleHash: '', models: {}, description },
      env: {},
      checked: {
        form: 'handler',
        definition: {
          input: image({ width: 4, height: 4 }),
          batch: { max: 8 },
          handler: async (pixels, { models }) => {
            const { output } = (await models.net?.run({ input: pixels as Tensor })) ?? {}
            return output?.data[0]
          },
        },
      },
      models: handles(run => run),
      handles,
      watched: new Map(),
    },
    {
      request: {
        requestId: 'r',
        method: 'POST',
        url: 'http://box/fn/f',
        headers: [['content-type', 'application/json']],
        body: new TextEncoder().encode(JSON.stringify(pictures)),
      },
      remainingMs: 10_000,
    },
    { log: silentLogger },
  )
  assert.equal(rows, [3])
  // Each got a row of its own, in the order in which they were decoded.
  assert.equal(JSON.parse(new TextDecoder().decode(answer.body)).sort(), [0, 1, 2])
})

test.run()
