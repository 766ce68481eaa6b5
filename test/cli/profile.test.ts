import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { profileSchema } from '../../runtime/profiling/profile.ts'
import { runCommand, startServer } from '../../scripts/demo/server-process.ts'
import { patiently } from '../eventually.ts'

const test = suite('cli/profile')

test('a profile of the real pool beside the real trainer is what the server runs by', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const functions = join(folder, 'functions')
  const few = (file: string) => !/\d+\.jpg$/.test(file) || /00\d\.jpg$/.test(file)
  const name = 'text-orientation'
  await cp(join(packageRoot, 'functions', name), join(functions, name), { recursive: true, filter: few })
  // Of short steps.
  await writeFile(
    join(functions, name, 'retrain.ts'),
    `import { adam, defineRetraining } from 'corun'
    export default defineRetraining({
      model: 'orientation', trainable: 'head', optimizer: adam(), batchSize: 2, reference: 'reference',
    })`,
  )
  const options = [
    '--functions',
    functions,
    '--data',
    join(folder, 'data'),
    '--profiles',
    join(folder, 'profiles'),
  ]
  try {
    const short = ['--window', '60', '--max-threads', '1', '--max-batch', '1', '--max-epoch-stretch', '1e6']
    // A trainer that others leave no core to is measured as it is, without a step: then it is measured again.
    const profile = await patiently('the trainer makes steps', async () => {
      const output = await runCommand(['profile', '--json', ...short, ...options], () => {})
      const found = profileSchema.parse(JSON.parse(output))
      return (found.trainingAlone?.stepsPerSecond ?? 0) > 0 ? found : undefined
    })
    assert.ok(
      profile.points.some(({ training }) => training) && profile.points.some(({ training }) => !training),
    )
    for (const point of profile.points) {
      assert.ok(point.fits && point.requests > 0 && point.failed === 0 && point.peakMemoryBytes > 0)
      for (const { p50, p95, p99 } of [point.latencyMs, point.queueMs, point.runMs])
        assert.ok(p50 <= p95 && p95 <= p99)
      assert.ok(point.runMs.p50 <= point.latencyMs.p50 && point.cpuSecondsPerInference > 0)
      assert.is(point.trainingStepsPerSecond !== null, point.training)
    }
    assert.is(profile.besideTraining.trainer?.function, name)

    const server = await startServer(['--port', '0', ...options])
    const inForce = (await (await fetch(`${server.url}/api/profile`)).json()) as Record<string, unknown>
    assert.is(await server.stop(), 0)
    assert.match(String(inForce.reason), /measured profile/)
    assert.is(inForce.slots, profile.alone.threads)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test.run()
