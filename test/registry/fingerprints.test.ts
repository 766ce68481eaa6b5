import { mkdtemp, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { changedSince, takeFingerprints } from '../../runtime/registry/fingerprints.ts'

const test = suite('registry/fingerprints')

let folder: string
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
})
test.after.each(() => rm(folder, { recursive: true, force: true }))

const changes: [string, (file: string) => Promise<unknown>, boolean][] = [
  ['a file that nobody touched', async () => {}, false],
  ['a file that is longer', file => writeFile(file, 'longer than before'), true],
  ['a file of the same length that was written later', file => utimes(file, 1, 1), true],
  [
    'a file that was renamed over it, as editors do',
    async file => {
      await writeFile(`${file}~`, 'first')
      await utimes(`${file}~`, 1000, 1000)
      await rename(`${file}~`, file)
    },
    true,
  ],
  ['a file that is gone', file => rm(file), true],
]
for (const [name, change, expected] of changes) {
  test(`${name} ${expected ? 'is' : 'is not'} a change`, async () => {
    const file = join(folder, 'a')
    await writeFile(file, 'first')
    await utimes(file, 1000, 1000)
    const before = await takeFingerprints([file])
    await change(file)
    assert.equal([...changedSince(before, await takeFingerprints([file]))], expected ? [file] : [])
  })
}

test('a file that comes where one was missed is a change, one that is looked at for the first time is none', async () => {
  const [missed, unknown] = [join(folder, 'missed'), join(folder, 'unknown')]
  const before = await takeFingerprints([missed])
  await writeFile(missed, '')
  await writeFile(unknown, '')
  assert.equal([...changedSince(before, await takeFingerprints([missed, unknown]))], [missed])
})

test('a file that was written after a time counts as changed with the next look', async () => {
  const file = join(folder, 'a')
  await writeFile(file, 'first')
  await utimes(file, 1000, 1000)
  const early = await takeFingerprints([file], 1000_000)
  const late = await takeFingerprints([file], 999_999)
  const next = await takeFingerprints([file])
  assert.equal([...changedSince(early, next)], [])
  assert.equal([...changedSince(late, next)], [file])
})

test.run()
