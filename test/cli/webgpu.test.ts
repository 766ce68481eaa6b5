/**
 * A provider that allows one thread a process, on a real device or a software one: profiled alone and beside training,
 * then served, with functions beside it that use no model. Without a device the test is skipped and says so.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { testProvider } from '../../runtime/device/provider-test.ts'
import { profileSchema } from '../../runtime/profiling/profile.ts'
import { closedLoop } from '../../scripts/bench/load.ts'
import { runCommand, startServer } from '../../scripts/demo/server-process.ts'
import { tinyPictures, writeTinyFunction, writeTinyReference } from '../../scripts/soak/tiny-function.ts'
import { noWebgpu, webgpuEnv } from '../device/webgpu-env.ts'

const test = suite('cli/webgpu')

test('one thread has the device: its concurrency is the batch, training shares it, and other functions go beside', async () => {
  Object.assign(process.env, webgpuEnv())
  if ((await testProvider('webgpu')) !== undefined) {
    console.log(noWebgpu)
    return
  }
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const functions = join(folder, 'functions')
  const options = [
    ...['--functions', functions, '--data', join(folder, 'data'), '--profiles', join(folder, 'profiles')],
    ...['--provider', 'webgpu'],
  ]
  try {
    await writeTinyFunction(functions, { epochs: 1, checkpointSteps: 100 })
    // One picture a step leaves one size of its parts to try.
    await writeTinyReference(functions, { count: 12, batchSize: 1 })
    await writeFile(join(functions, 'plain.ts'), "export default () => Response.json('beside')")

    const small = ['--window', '60', '--max-threads', '4', '--max-batch', '2']
    const wide = ['--latency-bound', '1000x', '--max-epoch-stretch', '1e9']
    const output = await runCommand(['profile', '--json', ...options, ...small, ...wide], () => {})
    const profile = profileSchema.parse(JSON.parse(output))
    assert.is(profile.key.provider, 'webgpu')
    for (const training of [false, true]) {
      const points = profile.points.filter(point => point.training === training)
      assert.ok(points.length > 0, `training ${training}`)
      assert.ok(
        points.every(
          ({ fits, threads, failed, requests }) => fits && threads === 1 && failed === 0 && requests > 0,
        ),
      )
      assert.ok(training || points.some(({ batch }) => batch === 2))
    }
    assert.ok((profile.trainingAlone?.stepsPerSecond ?? 0) > 0)
    assert.is(profile.besideTraining.trainer?.function, 'side')

    const server = await startServer(['--port', '0', ...options])
    try {
      const pictures = await tinyPictures(16, 9)
      const [seen, plain] = await Promise.all([
        closedLoop(`${server.url}/fn/side`, pictures, 4),
        closedLoop(`${server.url}/fn/plain`, pictures, 4),
      ])
      assert.equal([seen.failed, plain.failed], [0, 0], server.log())
      const inForce = (await (await fetch(`${server.url}/api/profile`)).json()) as {
        reason: string
        device: { slots: number }
        slots: number
      }
      assert.match(inForce.reason, /measured profile/)
      assert.is(inForce.device.slots, 1)
      assert.ok(inForce.slots > 1)
    } finally {
      assert.is(await server.stop(), 0)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test.run()
