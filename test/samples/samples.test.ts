import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError } from '../../runtime/core/errors.ts'
import { silentLogger } from '../../runtime/observe/log.ts'
import { folderOfLabel, labelOfFolder } from '../../runtime/samples/label-folder.ts'
import { readReference } from '../../runtime/samples/reference.ts'
import { createSampleStore } from '../../runtime/samples/sample-store.ts'
import { type Split, splitOf } from '../../runtime/samples/split.ts'
import { summarize } from '../../runtime/samples/summary.ts'
import { until } from '../eventually.ts'

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

const journalFile = () => join(dataDir, 'samples', 'scene', 'journal.ndjson')
const linesOf = async () => (await readFile(journalFile(), 'utf8')).trimEnd().split('\n')
const filesOf = async () =>
  (await readdir(join(dataDir, 'samples', 'scene'))).filter(name => name.endsWith('.jpg')).length

test('what is removed is gone from the disk and stays away, by id, by label and by age', async () => {
  const day = 86_400_000
  const store = open()
  const { id } = await store.add({ ...picture('a'), at: 5 * day })
  await store.add({ ...picture('b', '180'), at: 5 * day })
  await store.add({ ...picture('c'), at: 1 * day })
  await store.add({ ...picture('d'), at: 9 * day })
  assert.equal(await store.remove('scene', {}), [])
  assert.is((await store.remove('scene', { id })).length, 1)
  assert.is((await store.remove('scene', { label: '180' })).length, 1)
  assert.is((await store.remove('scene', { label: '0', before: 4 * day })).length, 1)
  assert.is(await filesOf(), 1)
  assert.equal(await labels(store), { d: '0' })
  assert.equal(await labels(), { d: '0' })
  assert.not.ok((await open().add(picture('a'))).duplicate)
  assert.equal(await labels(), { d: '0', a: '0' })
})

test('a removal that a kill cut short is finished at the next start', async () => {
  const { id } = await open().add(picture('a'))
  await open().add(picture('b'))
  // As it is when the kill comes between the line and the file.
  await appendFile(
    journalFile(),
    `${JSON.stringify({ removed: id, at: new Date().toISOString(), why: 'operator' })}\n`,
  )
  assert.equal(await labels(), { b: '0' })
  assert.is(await filesOf(), 1)
})

test('a picture without a line was never answered for, and goes; where a line is damaged it stays', async () => {
  await open().add(picture('a'))
  const stray = join(dataDir, 'samples', 'scene', `${'f'.repeat(64)}.jpg`)
  await writeFile(stray, 'stray')
  await appendFile(journalFile(), 'garbage\n')
  await open().list('scene')
  assert.is(await filesOf(), 2)
  await writeFile(journalFile(), (await linesOf()).slice(0, 1).join('\n').concat('\n'))
  await open().list('scene')
  assert.is(await filesOf(), 1)
})

test('a full label gives up one for each that comes, and the journal says so', async () => {
  const quota = { perLabel: 5, bytes: 1e9 }
  const store = createSampleStore({ dataDir, log: silentLogger, quota, random: () => 0 })
  for (let n = 0; n < 9; n += 1) await store.add(picture(`p${n}`))
  await store.add(picture('other', '180'))
  const kept = await labels(store)
  assert.equal(Object.values(kept), ['0', '0', '0', '0', '0', '180'])
  assert.ok('p8' in kept)
  assert.equal(await labels(), kept)
  assert.is(await filesOf(), 6)
  assert.is((await linesOf()).filter(line => JSON.parse(line).why === 'quota').length, 4)
})

test('a journal of many lines is rewritten with what is left, and nothing else changes', async () => {
  const store = open()
  await store.add(picture('a'))
  await store.add(picture('b', '180'))
  const [first = '', second = ''] = await linesOf()
  await writeFile(journalFile(), `${first}\n${`${second}\n`.repeat(400)}`)
  assert.equal(await labels(), { a: '0', b: '180' })
  assert.equal(
    (await linesOf()).map(line => JSON.parse(line)),
    [JSON.parse(first), JSON.parse(second)],
  )
  await open().add(picture('c'))
  assert.equal(await labels(), { a: '0', b: '180', c: '0' })
})

test('while somebody reads them, removed pictures keep their files, and lose them after', async () => {
  const store = open()
  const { id } = await store.add(picture('a'))
  await store.add(picture('b'))
  const [first, second] = [await store.hold('scene'), await store.hold('scene')]
  await store.remove('scene', { label: '0' })
  assert.equal(await labels(store), {})
  assert.is(await filesOf(), 2)
  await store.add(picture('a'))
  first()
  assert.is(await filesOf(), 2)
  second()
  await until(async () => (await filesOf()) === 1)
  assert.is((await store.read('scene', id)).sample.label, '0')
})

test('a picture that comes back just as the last reader lets go keeps its file', async () => {
  const store = open()
  const names = Array.from({ length: 40 }, (_, n) => `p${n}`)
  for (const name of names) await store.add(picture(name))
  const letGo = await store.hold('scene')
  await store.remove('scene', { label: '0' })
  const added = names.map(name => store.add(picture(name)))
  await added[10]
  letGo()
  await Promise.all(added)
  await store.add(picture('after that'))
  assert.is((await store.list('scene')).length, 41)
})

test('a label is corrected without the picture', async () => {
  const store = open()
  const { id } = await store.add(picture('a'))
  assert.ok(await store.relabel('scene', id, '180'))
  assert.not.ok(await store.relabel('scene', 'f'.repeat(64), '180'))
  assert.equal(await labels(), { a: '180' })
})

test('the journal of an earlier version is read, and sizes are found', async () => {
  const { id } = await open().add(picture('abc'))
  await writeFile(
    journalFile(),
    `${JSON.stringify({ id, label: '0', format: 'jpg', at: '2026-01-01T00:00:00.000Z' })}\n`,
  )
  assert.is((await open().list('scene'))[0]?.bytes, 3)
})

test('labels survive being folders, whatever is in them', () => {
  for (const label of ['cat', 'cat,dog', 'a/b', '..', '.hidden', '100%', '%2f', '', 'a\\b', '0.5,12']) {
    const folder = folderOfLabel(label)
    assert.not.match(folder, /[/\\]|^\.|^$/)
    assert.is(labelOfFolder(folder), label)
  }
  const [one, two] = ['一'.repeat(100), '一'.repeat(99)].map(folderOfLabel)
  assert.ok(Buffer.byteLength(one ?? '') < 200)
  assert.is.not(one, two)
})

test('a summary counts by label, side and age', async () => {
  const store = open()
  for (let n = 0; n < 30; n += 1) await store.add({ ...picture(`p${n}`, n < 10 ? '0' : '180'), at: n * 1000 })
  const list = await store.list('scene')
  const summary = summarize('scene', list)
  assert.is(summary.count, 30)
  assert.equal(
    summary.labels.map(({ label, count, oldest, newest }) => [label, count, oldest, newest]),
    [
      ['0', 10, '1970-01-01T00:00:00.000Z', '1970-01-01T00:00:09.000Z'],
      ['180', 20, '1970-01-01T00:00:10.000Z', '1970-01-01T00:00:29.000Z'],
    ],
  )
  for (const side of new Set(list.map(({ split }) => split))) {
    const counted = summary.labels.reduce((sum, { split }) => sum + (split[side] ?? 0), 0)
    assert.is(counted, list.filter(({ split }) => split === side).length)
  }
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
