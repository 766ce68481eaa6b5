/** The same training on a WebGPU device and on the CPU. Without a device the test is skipped and says so. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { noWebgpu, webgpuEnv } from '../device/webgpu-env.ts'

const test = suite('training on WebGPU')
const BOUND = 1e-3

const answerSchema = z.union([
  z.object({ result: z.record(z.string(), z.object({ losses: z.number(), parameters: z.number() })) }),
  z.object({ error: z.string() }),
])

test('losses and parameters are those of the CPU', async () => {
  const child = fileURLToPath(new URL('webgpu-child.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', child], {
    env: webgpuEnv(),
    timeout: 120_000,
  })
  const answer = answerSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''))
  if ('error' in answer) {
    assert.match(answer.error, /WebGPU adapter/)
    console.log(noWebgpu)
    return
  }
  for (const [optimizer, { losses, parameters }] of Object.entries(answer.result)) {
    assert.ok(losses < BOUND, `${optimizer}: losses differ by ${losses}`)
    assert.ok(parameters < BOUND, `${optimizer}: parameters differ by ${parameters}`)
  }
})

test.run()
