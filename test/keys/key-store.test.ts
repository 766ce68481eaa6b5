import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../runtime/core/clock.ts'
import { openKeyStore } from '../../runtime/keys/key-store.ts'

const test = suite('keys/key-store')

let dataDir: string
test.before.each(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'corun-test-'))
})
test.after.each(() => rm(dataDir, { recursive: true, force: true }))

const open = () => openKeyStore({ dataDir, clock: systemClock })

test('a key opens its own function and no other, also after a restart, until it is revoked', async () => {
  const store = await open()
  const { id, key } = await store.make('scene', 'phone')
  const again = await open()
  assert.ok(again.opens('scene', key))
  assert.not(again.opens('other', key))
  assert.not(again.opens('scene', `${key}x`))
  await again.revoke(id)
  assert.not(again.opens('scene', key))
  assert.not((await open()).opens('scene', key))
})

test('the key is neither listed nor on disk', async () => {
  const store = await open()
  const { id, key } = await store.make('scene', 'phone')
  assert.equal(
    store.list().map(info => [info.id, info.function, info.note]),
    [[id, 'scene', 'phone']],
  )
  assert.not.match(JSON.stringify(store.list()), /sha256/)
  assert.not.ok((await readFile(join(dataDir, 'state', 'keys.json'), 'utf8')).includes(key))
})

test('a key that is not there cannot be revoked', async () => {
  const store = await open()
  const failed = await store.revoke('nobody').catch((error: { code: string }) => error.code)
  assert.is(failed, 'unknown-key')
})

test.run()
