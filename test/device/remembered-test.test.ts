import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { selectProvider } from '../../runtime/device/provider.ts'
import { rememberTests } from '../../runtime/device/remembered-test.ts'

const test = suite('device/remembered-test')

let folder: string
let file: string
let tested: string[]
let why: string | undefined
/** As another start would have it. */
const remembered = (signs = 'engine 1') =>
  rememberTests(file, signs, async provider => {
    tested.push(provider)
    return why
  })

test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  file = join(folder, 'data', 'providers.json')
  tested = []
  why = undefined
})
test.after.each(() => rm(folder, { recursive: true }))

test('what has passed is not tested again with the next start, and each provider passes for itself', async () => {
  assert.is(await remembered()('cuda'), undefined)
  assert.is(await remembered()('webgpu'), undefined)
  assert.is(await remembered()('cuda'), undefined)
  assert.is(await remembered()('webgpu'), undefined)
  assert.equal(tested, ['cuda', 'webgpu'])
})

test('another engine, driver or device is tested anew', async () => {
  await remembered()('cuda')
  await remembered('engine 2')('cuda')
  assert.equal(tested, ['cuda', 'cuda'])
})

test('what has failed is tried again, since it may have been repaired', async () => {
  why = 'no driver'
  assert.is(await remembered()('cuda'), 'no driver')
  why = undefined
  assert.is(await remembered()('cuda'), undefined)
  assert.equal(tested, ['cuda', 'cuda'])
})

test('a damaged file remembers nothing, and is replaced', async () => {
  await remembered()('cuda')
  await writeFile(file, '{"version": 1, "passed')
  assert.is(await remembered()('cuda'), undefined)
  await remembered()('cuda')
  assert.equal(tested, ['cuda', 'cuda'])
})

test('the CPU needs no test and no file', async () => {
  assert.is((await selectProvider('cpu', file)).provider, 'cpu')
  assert.equal(await readdir(folder), [])
})

test.run()
