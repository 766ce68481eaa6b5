import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { soakKills } from '../../scripts/soak/kill.ts'

const test = suite('scripts/kill')

test('server and trainer killed at random instants: one version serves, no sample is lost, no run is stuck', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-kill-'))
  try {
    const report = await soakKills(folder, { kills: 4, seed: Date.now(), say: () => {} })
    assert.ok(report.samples >= 40)
    assert.ok((report.runs.promoted ?? 0) >= 1, JSON.stringify(report))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test.run()
