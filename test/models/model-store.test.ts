import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { ErrorCode } from '../../runtime/core/errors.ts'
import { CorunError } from '../../runtime/core/errors.ts'
import { openModelStore } from '../../runtime/models/model-store.ts'
import { silentLogger } from '../../runtime/observe/log.ts'

const test = suite('models/model-store')
const reason = { by: 'operator', why: 'test' }
const id = 'scene.classes'
let dataDir = ''
let base = ''

test.before.each(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'corun-models-'))
  base = join(dataDir, 'base.onnx')
  await writeFile(base, 'base weights')
})
test.after.each(() => rm(dataDir, { recursive: true }))

const open = () => openModelStore({ dataDir, log: silentLogger })
const sha = (text: string) => createHash('sha256').update(text).digest('hex')
const bytes = (text: string) => new TextEncoder().encode(text)

async function withCurrent(...contents: string[]) {
  const store = await open()
  let parent = (await store.adopt(id, base)).sha256
  for (const content of contents) {
    const { sha256 } = await store.addCandidate(id, bytes(content), { parent, runId: content })
    await store.commitPromotion(id, sha256, reason)
    parent = sha256
  }
  return store
}

function codeOf(work: () => unknown): ErrorCode | undefined {
  try {
    work()
  } catch (error) {
    if (error instanceof CorunError) return error.code
    throw error
  }
  return undefined
}

test('a new file of a function serves; the same file again answers what retraining made of it', async () => {
  const store = await withCurrent('better')
  assert.is((await store.adopt(id, base)).sha256, sha('better'))
  const reopened = await open()
  const { sha256, file } = await reopened.adopt(id, base)
  assert.is(sha256, sha('better'))
  assert.is(await readFile(file, 'utf8'), 'better')
})

test('another file of the function takes over from whatever was trained', async () => {
  const store = await withCurrent('better')
  await writeFile(base, 'other architecture')
  assert.is((await store.adopt(id, base)).sha256, sha('other architecture'))
  assert.is(store.get(id).rollbackTarget, undefined)
})

test('a candidate does not serve until it is promoted, and a rejected one keeps its line without its file', async () => {
  const store = await withCurrent()
  const parent = store.get(id).current
  const { sha256, file } = await store.addCandidate(id, bytes('worse'), { parent, runId: 'r1' })
  assert.is(store.get(id).current, parent)
  await store.rejectCandidate(id, sha256, { by: 'schedule', why: 'no gain' })
  const version = store.get(id).versions.find(known => known.sha256 === sha256)
  assert.is(version?.state, 'rejected')
  assert.is(version?.why, 'no gain')
  assert.is(await readFile(file).catch(() => undefined), undefined)
  assert.is(
    codeOf(() => store.version(id, sha256)),
    'unknown-version',
  )
})

test('a candidate that a killed server left undecided is rejected at the next start', async () => {
  const store = await withCurrent()
  const { sha256 } = await store.addCandidate(id, bytes('half'), {
    parent: store.get(id).current,
    runId: 'r1',
  })
  const reopened = await open()
  assert.is(reopened.get(id).versions.find(version => version.sha256 === sha256)?.state, 'rejected')
  assert.equal(await readdir(join(dataDir, 'models')), [`${sha('base weights')}.onnx`])
})

test('a rollback serves the version before, and history tells who and why', async () => {
  const store = await withCurrent('second', 'third')
  assert.is(store.rollbackTarget(id).sha256, sha('second'))
  assert.is((await store.commitRollback(id, reason)).sha256, sha('second'))
  assert.is(store.get(id).current, sha('second'))
  assert.is((await store.commitRollback(id, reason)).sha256, sha('base weights'))
  assert.is(
    codeOf(() => store.rollbackTarget(id)),
    'nothing-to-roll-back',
  )
  assert.equal(
    store.get(id).history.map(entry => entry.action),
    ['adopted', 'promoted', 'promoted', 'rolled-back', 'rolled-back'],
  )
})

for (const [damage, spoil] of [
  ['missing', (file: string) => rm(file)],
  ['damaged', (file: string) => writeFile(file, 'third wei')],
] as const) {
  test(`when the current file is ${damage}, its nearest good ancestor serves and the history says so`, async () => {
    const store = await withCurrent('second', 'third')
    await spoil(store.version(id, sha('third')).file)
    assert.is((await (await open()).adopt(id, base)).sha256, sha('second'))
    const reopened = await open()
    assert.is(reopened.get(id).current, sha('second'))
    assert.is(reopened.get(id).history.at(-1)?.action, 'recovered')
  })
}

test('a base whose stored file is damaged is stored again', async () => {
  const store = await withCurrent()
  await writeFile(store.version(id, sha('base weights')).file, 'torn')
  const { file } = await (await open()).adopt(id, base)
  assert.is(await readFile(file, 'utf8'), 'base weights')
})

test('two models that share a file keep it until neither wants it', async () => {
  const store = await withCurrent('shared')
  await store.adopt('other.classes', base)
  const parent = store.get('other.classes').current
  const { sha256, file } = await store.addCandidate('other.classes', bytes('shared'), { parent, runId: 'r' })
  await store.rejectCandidate('other.classes', sha256, { by: 'schedule', why: 'no gain' })
  assert.is(await readFile(file, 'utf8'), 'shared')
})

test('what is not known is refused by code', async () => {
  const store = await withCurrent()
  assert.is(
    codeOf(() => store.get('no.model')),
    'unknown-model',
  )
  assert.is(
    codeOf(() => store.get('constructor')),
    'unknown-model',
  )
  assert.is(
    codeOf(() => store.version(id, sha('never'))),
    'unknown-version',
  )
})

test('a version has classes of its own where they are not those of the function, through promotion, restart and rollback', async () => {
  const store = await open()
  const { sha256: parent } = await store.adopt(id, base, ['cat', 'dog'])
  const same = await store.addCandidate(id, bytes('same'), { parent, runId: 'r1', labels: ['cat', 'dog'] })
  const more = await store.addCandidate(id, bytes('more'), {
    parent,
    runId: 'r2',
    labels: ['cat', 'dog', 'owl'],
  })
  assert.equal(
    [same.labels, more.labels],
    [
      ['cat', 'dog'],
      ['cat', 'dog', 'owl'],
    ],
  )
  await store.commitPromotion(id, more.sha256, reason)
  const reopened = await open()
  assert.equal((await reopened.adopt(id, base, ['kitten', 'dog'])).labels, ['cat', 'dog', 'owl'])
  const back = await reopened.commitRollback(id, reason)
  assert.equal([back.sha256, back.labels], [parent, ['kitten', 'dog']])
})

test('classes of another file of the function are not those of versions that came before it', async () => {
  const store = await open()
  const { sha256: first } = await store.adopt(id, base, ['cat', 'dog'])
  const trained = await store.addCandidate(id, bytes('trained'), {
    parent: first,
    runId: 'r1',
    labels: ['cat', 'dog'],
  })
  await store.commitPromotion(id, trained.sha256, reason)
  const other = join(dataDir, 'other.onnx')
  await writeFile(other, 'three classes')
  assert.equal((await store.adopt(id, other, ['dog', 'cat', 'bird'])).labels, ['dog', 'cat', 'bird'])
  assert.equal(store.version(id, trained.sha256).labels, ['cat', 'dog'])
  assert.equal(store.version(id, first).labels, ['cat', 'dog'])
  assert.equal((await store.adopt(id, base, ['cat', 'hound'])).labels, ['cat', 'hound'])
})

test('files of the last one, of pinned ones and of the last N stay; every decision is in the history', async () => {
  const store = await openModelStore({ dataDir, log: silentLogger, keepVersions: 1 })
  let parent = (await store.adopt(id, base)).sha256
  const promote = async (content: string) => {
    const { sha256 } = await store.addCandidate(id, bytes(content), { parent, runId: content })
    await store.commitPromotion(id, sha256, { by: 'drift', why: content })
    parent = sha256
  }
  for (const content of ['1', '2']) await promote(content)
  await store.pin(id, sha('1'), true, { by: 'operator', why: 'a good one' })
  for (const content of ['3', '4', '5']) await promote(content)
  const kept = () =>
    store
      .get(id)
      .versions.filter(version => version.kept)
      .map(({ sha256 }) => sha256)
  assert.equal(kept(), [sha('base weights'), ...['1', '4', '5'].map(sha)])
  await store.pin(id, sha('1'), false, reason)
  assert.equal(kept(), [sha('base weights'), sha('4'), sha('5')])
  assert.is(
    codeOf(() => store.version(id, sha('1'))),
    'unknown-version',
  )
  const files = (await readdir(join(dataDir, 'models'))).filter(name => name.endsWith('.onnx'))
  assert.equal(
    files.sort(),
    kept()
      .map(sha256 => `${sha256}.onnx`)
      .sort(),
  )
  const pinned = store.get(id).history.find(({ action }) => action === 'pinned')
  assert.equal([pinned?.by, pinned?.why, pinned?.to], ['operator', 'a good one', sha('1')])
})

test('a year of rejections does not take away the way back', async () => {
  const store = await withCurrent('good')
  for (let night = 0; night < 110; night += 1) {
    const { sha256 } = await store.addCandidate(id, bytes(`bad ${night}`), {
      parent: sha('good'),
      runId: 'r',
    })
    await store.rejectCandidate(id, sha256, { by: 'schedule', why: 'no gain' })
  }
  assert.is(store.rollbackTarget(id).sha256, sha('base weights'))
  const actions = store.get(id).history.map(({ action }) => action)
  assert.is(actions.filter(action => action === 'rejected').length, 100)
  assert.equal(
    actions.filter(action => action !== 'rejected'),
    ['adopted', 'promoted'],
  )
})

test.run()
