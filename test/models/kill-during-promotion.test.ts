import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { openModelStore } from '../../runtime/models/model-store.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { realModel } from '../training/real-model.ts'

const test = suite('models/kill-during-promotion')

/** Promotes for ever: each version is the real model with a trailing unknown field, which readers skip. */
const promoter = `
  import { readFile } from 'node:fs/promises'
  import { openModelStore } from '${new URL('../../runtime/models/model-store.ts', import.meta.url)}'
  import { silentLogger } from '${new URL('../../runtime/observe/log.ts', import.meta.url)}'
  const [dataDir, base] = process.argv.slice(1)
  const store = await openModelStore({ dataDir, log: silentLogger })
  let parent = (await store.adopt('f.m', base)).sha256
  const weights = await readFile(base)
  for (let n = 0; ; n += 1) {
    const note = Buffer.from(String(process.pid) + '-' + n)
    const content = Buffer.concat([weights, Buffer.from([0xfa, 0x3f, note.length]), note])
    const { sha256 } = await store.addCandidate('f.m', content, { parent, runId: 'r' + n })
    await store.commitPromotion('f.m', sha256, { by: 'test', why: 'loop' })
    parent = sha256
    process.send(sha256)
  }
`

test('killed at any instant, exactly one version is current, it is whole and it loads', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'corun-kill-'))
  let promotions = 0
  for (let kill = 0; kill < 20; kill += 1) {
    const child = spawn(
      process.execPath,
      ['--import', 'tsx', '--input-type=module', '-e', promoter, dataDir, realModel],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
    )
    let last: unknown
    child.on('message', sha256 => {
      last = sha256
      promotions += 1
    })
    const ended = once(child, 'close')
    await Promise.race([once(child, 'message'), ended])
    assert.is(child.exitCode, null, 'it promotes for ever')
    // The instant is random by nature; what must hold does not depend on it.
    await new Promise(resolve => setTimeout(resolve, Math.random() * 40))
    child.kill('SIGKILL')
    await ended

    const store = await openModelStore({ dataDir, log: silentLogger })
    const before = store.get('f.m')
    const { sha256, file } = await store.adopt('f.m', realModel)
    assert.is(sha256, before.current, 'nothing had to be recovered')
    assert.is(before.versions.filter(version => version.state === 'current').length, 1)
    assert.is(before.versions.filter(version => version.state === 'candidate').length, 0)
    // What was said to be promoted is current, or was when the next promotion committed.
    assert.ok(before.history.some(entry => entry.to === last))
    if (kill % 5 === 0) await (await InferenceSession.create(await readFile(file))).release()
  }
  assert.ok(promotions >= 20)
  await rm(dataDir, { recursive: true })
})

test.run()
