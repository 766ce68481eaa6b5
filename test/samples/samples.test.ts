import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError } from '../../runtime/core/errors.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { readReference } from '../../runtime/samples/reference.ts'
import { createSampleStore } from '../../runtime/samples/sample-store.ts'
import { type Split, splitOf } from '../../runtime/samples/split.ts'

const test = suite('samples')
let dataDir = ''

test.before.each(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'corun-samples-'))
})
test.after.each(() => rm(dataDir, { recursive: true }))

const open = () => createSampleStore({ dataDir, log: silentLogger })
const picture = (text: string, label = '0') => ({
  function: 'scene',
  label,
  body: new TextEncoder().encode(text),
  format: 'jpeg',
})
const labels = async (store = open()) =>
  Object.fromEntries(
    await Promise.all(
      (await store.list('scene')).map(
        async ({ file, label }) => [await readFile(file, 'utf8'), label] as const,
      ),
    ),
  )

test('an added picture is there after a restart, bytes and label', async () => {
  const { duplicate } = await open().add(picture('a', '180'))
  assert.not.ok(duplicate)
  assert.equal(await labels(), { a: '180' })
})

test('the same picture is kept once, and its newest label wins', async () => {
  const store = open()
  await store.add(picture('a', '0'))
  assert.ok((await store.add(picture('a', '0'))).duplicate)
  assert.ok((await store.add(picture('a', '180'))).duplicate)
  assert.equal(await labels(store), { a: '180' })
  assert.equal(await labels(), { a: '180' })
})

test('many that come at once are all kept', async () => {
  const store = open()
  await Promise.all(Array.from({ length: 40 }, (_, index) => store.add(picture(`p${index % 30}`))))
  assert.is((await open().list('scene')).length, 30)
})

test('a line that a crash tore is dropped, and what is added next is read', async () => {
  await open().add(picture('a'))
  const journal = join(dataDir, 'samples', 'scene', 'journal.ndjson')
  await appendFile(journal, '{"id":"12ab","label":"18')
  const store = open()
  assert.equal(await labels(store), { a: '0' })
  await store.add(picture('b'))
  assert.equal(await labels(), { a: '0', b: '0' })
})

test('a damaged line in the middle costs only itself', async () => {
  await open().add(picture('a'))
  await appendFile(join(dataDir, 'samples', 'scene', 'journal.ndjson'), 'garbage\n')
  await open().add(picture('b'))
  assert.equal(await labels(), { a: '0', b: '0' })
})

test('a picture that the operator removed is not listed, and can come again', async () => {
  const store = open()
  const { id } = await store.add(picture('a'))
  await rm(join(dataDir, 'samples', 'scene', `${id}.jpg`))
  assert.equal(await labels(store), {})
  assert.not.ok((await store.add(picture('a'))).duplicate)
  assert.equal(await labels(store), { a: '0' })
})

test('a format that is no picture format is refused', async () => {
  const error = await open()
    .add({ ...picture('a'), format: 'gif' })
    .catch(caught => caught)
  assert.ok(error instanceof CorunError && error.code === 'unsupported-media-type')
})

test('a quarter is for the test and a tenth for validation, by content alone', async () => {
  const store = open()
  for (let n = 0; n < 400; n += 1) await store.add(picture(`p${n}`))
  const first = await store.list('scene')
  const count = (split: Split) => first.filter(sample => sample.split === split).length
  assert.ok(count('test') > 70 && count('test') < 130, `${count('test')} of 400`)
  assert.ok(count('validation') > 20 && count('validation') < 65, `${count('validation')} of 400`)
  for (const sample of first) assert.is(splitOf(sample.id), sample.split)
  await store.add(picture('one more', '180'))
  const later = new Map((await open().list('scene')).map(({ id, split }) => [id, split]))
  assert.ok(first.every(({ id, split }) => later.get(id) === split))
})

for (const [start, split] of [
  ['00000000', 'test'],
  ['3fffffff', 'test'],
  ['40000000', 'validation'],
  ['59999999', 'validation'],
  ['5999999a', 'training'],
  ['ffffffff', 'training'],
] as const) {
  test(`content ${start}... is for ${split}`, () => {
    assert.is(splitOf(start.padEnd(64, '0')), split)
  })
}

test('a reference folder gives labelled files, a third of them held out whatever they are called', async () => {
  const folder = join(dataDir, 'reference')
  for (const label of ['0', '180']) {
    await mkdir(join(folder, label), { recursive: true })
    for (let n = 0; n < 60; n += 1) await writeFile(join(folder, label, `${n}.jpg`), `${label} ${n}`)
  }
  await writeFile(join(folder, '0', 'notes.txt'), 'no picture')
  const reference = await readReference(folder, 'softmax-cross-entropy', ['0', '180'])
  assert.is(reference.training.length + reference.heldOut.length, 120)
  assert.ok(reference.heldOut.length > 25 && reference.heldOut.length < 55, `${reference.heldOut.length}`)
  for (const { file, label } of reference.heldOut) assert.is(file.includes('/180/') ? '180' : '0', label)

  const heldOut = async () =>
    new Set(
      await Promise.all(
        (await readReference(folder, 'softmax-cross-entropy', ['0', '180'])).heldOut.map(({ file }) =>
          readFile(file, 'utf8'),
        ),
      ),
    )
  const before = await heldOut()
  for (const [index, name] of (await readdir(join(folder, '0'))).entries()) {
    if (name.endsWith('.jpg'))
      await writeFile(join(folder, '0', `renamed-${index}.jpg`), await readFile(join(folder, '0', name)))
    await rm(join(folder, '0', name))
  }
  assert.equal([...(await heldOut())].sort(), [...before].sort())
})

test('a reference folder with a name that is no label is refused, and names both', async () => {
  await mkdir(join(dataDir, 'reference', '90'), { recursive: true })
  const error = await readReference(join(dataDir, 'reference'), 'softmax-cross-entropy', ['0', '180']).catch(
    caught => caught,
  )
  assert.ok(error instanceof CorunError && error.code === 'invalid-definition')
  assert.match(error.message, '"90"')
})

test.run()
