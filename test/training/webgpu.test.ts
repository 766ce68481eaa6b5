/**
 * The same training on a WebGPU device and on the CPU. Without a device the test is skipped and says so; Debian's
 * chromium-common brings a software one, found below or through VK_ICD_FILENAMES.
 */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'

const test = suite('training on WebGPU')
const BOUND = 1e-3
const chromium = '/usr/lib/chromium/vk_swiftshader_icd.json'

const answerSchema = z.union([
  z.object({ result: z.record(z.string(), z.object({ losses: z.number(), parameters: z.number() })) }),
  z.object({ error: z.string() }),
])

test('losses and parameters are those of the CPU', async () => {
  const child = fileURLToPath(new URL('webgpu-child.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', child], {
    env: {
      XDG_RUNTIME_DIR: tmpdir(),
      ...(existsSync(chromium) ? { VK_ICD_FILENAMES: chromium } : {}),
      ...process.env,
    },
    timeout: 120_000,
  })
  const answer = answerSchema.parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''))
  if ('error' in answer) {
    assert.match(answer.error, /WebGPU adapter/)
    console.log('skipped: no WebGPU device here; VK_ICD_FILENAMES may name a software one')
    return
  }
  for (const [optimizer, { losses, parameters }] of Object.entries(answer.result)) {
    assert.ok(losses < BOUND, `${optimizer}: losses differ by ${losses}`)
    assert.ok(parameters < BOUND, `${optimizer}: parameters differ by ${parameters}`)
  }
})

test.run()
