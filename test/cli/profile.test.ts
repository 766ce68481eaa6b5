import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { profileSchema } from '../../runtime/profiling/profile.ts'
import { runCommand, startServer } from '../../scripts/demo/server-process.ts'

const test = suite('cli/profile')

test('a profile of the real pool beside the real trainer is what the server runs by', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const functions = join(folder, 'functions')
  const few = (file: string) => !/\d+\.jpg$/.test(file) || /00\d\.jpg$/.test(file)
  await cp(join(packageRoot, 'functions'), functions, { recursive: true, filter: few })
  const options = [
    '--functions',
    functions,
    '--data',
    join(folder, 'data'),
    '--profiles',
    join(folder, 'profiles'),
  ]
  try {
    const short = ['--window', '150', '--max-threads', '2', '--latency-ratio', '100']
    const output = await runCommand(['profile', '--json', ...short, ...options], () => {})
    const profile = profileSchema.parse(JSON.parse(output))
    const single = profile.points.filter(({ batch }) => batch === 1)
    assert.ok(profile.points.length > single.length, 'batches are tried')
    assert.equal(
      single.map(({ threads, training }) => `${threads}${training ? ' beside' : ''}`),
      ['1', '2', '1 beside', '2 beside'],
    )
    for (const point of profile.points) {
      assert.ok(point.requests > 0 && point.failed === 0 && point.peakMemoryBytes > 0)
      assert.ok(point.latencyMs.p50 <= point.latencyMs.p95 && point.latencyMs.p95 <= point.latencyMs.p99)
    }
    assert.ok((profile.trainingAlone?.stepsPerSecond ?? 0) > 0)

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
