import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  ancestors,
  type HistoryEntry,
  type ModelRecord,
  rollbackTarget,
} from '../../runtime/models/lineage.ts'
import { retire } from '../../runtime/models/lineage-edits.ts'

const test = suite('models/lineage')
const reason = { at: '', by: '', why: '' }

/** `a` is the base; each next letter is a version that was trained from the one before. */
function record(history: [HistoryEntry['action'], string][], lost: string[] = []): ModelRecord {
  let from: string | null = null
  const entries = history.map(([action, to]) => {
    const entry = { ...reason, action, from, to }
    from = to
    return entry
  })
  const names = [...new Set(history.map(([, to]) => to))].sort()
  return {
    base: 'a',
    canary: null,
    labels: [],
    current: history.at(-1)?.[1] ?? 'a',
    history: entries,
    versions: names.map((sha256, index) => ({
      sha256,
      parent: names[index - 1] ?? null,
      source: 'retraining',
      createdAt: '',
      standing: 'served',
      kept: !lost.includes(sha256),
      pinned: false,
    })),
  }
}

const cases: [string, ModelRecord, string | undefined][] = [
  ['a first version has nothing before it', record([['adopted', 'a']]), undefined],
  [
    'a promotion goes back',
    record([
      ['adopted', 'a'],
      ['promoted', 'b'],
    ]),
    'a',
  ],
  [
    'two go back one at a time',
    record([
      ['adopted', 'a'],
      ['promoted', 'b'],
      ['promoted', 'c'],
      ['rolled-back', 'b'],
    ]),
    'a',
  ],
  [
    'at the end there is nothing',
    record([
      ['adopted', 'a'],
      ['promoted', 'b'],
      ['rolled-back', 'a'],
    ]),
    undefined,
  ],
  [
    'after a rollback another promotion goes back to the same',
    record([
      ['adopted', 'a'],
      ['promoted', 'b'],
      ['rolled-back', 'a'],
      ['promoted', 'c'],
    ]),
    'a',
  ],
  [
    'a new file of the function begins anew',
    record([
      ['adopted', 'a'],
      ['promoted', 'b'],
      ['adopted', 'c'],
    ]),
    undefined,
  ],
  [
    'a version whose file is gone is passed over',
    record(
      [
        ['adopted', 'a'],
        ['promoted', 'b'],
        ['promoted', 'c'],
      ],
      ['b'],
    ),
    'a',
  ],
  [
    'an older version that was promoted again goes back to what it replaced',
    record([
      ['adopted', 'a'],
      ['promoted', 'b'],
      ['promoted', 'a'],
    ]),
    'b',
  ],
  [
    'a recovery is a step back',
    record([
      ['adopted', 'a'],
      ['promoted', 'b'],
      ['promoted', 'c'],
      ['recovered', 'b'],
    ]),
    'a',
  ],
]
for (const [name, given, expected] of cases) {
  test(`rollback: ${name}`, () => assert.is(rollbackTarget(given), expected))
}

test('the beginning of a long history may be gone', () => {
  const long = record([
    ['adopted', 'a'],
    ['promoted', 'b'],
    ['promoted', 'c'],
  ])
  long.history = long.history.slice(1)
  assert.is(rollbackTarget(long), 'b')
})

test('ancestors are asked nearest first, the base last', () => {
  const given = record([
    ['adopted', 'a'],
    ['promoted', 'b'],
    ['promoted', 'c'],
    ['promoted', 'd'],
  ])
  assert.equal(ancestors(given), ['c', 'b', 'a'])
})

test('the files of current, base, candidates and the last five stay; the lists are bounded', () => {
  const letters = [...'abcdefghijkl']
  const given = record(letters.map(letter => [letter === 'a' ? 'adopted' : 'promoted', letter]))
  given.versions.push(
    {
      sha256: 'new',
      parent: 'l',
      source: 'retraining',
      createdAt: '',
      standing: 'candidate',
      kept: true,
      pinned: false,
    },
    {
      sha256: 'bad',
      parent: 'l',
      source: 'retraining',
      createdAt: '',
      standing: 'rejected',
      kept: true,
      pinned: false,
    },
  )
  retire(given, { retired: 5, lines: 10 })
  const kept = given.versions.filter(version => version.kept).map(version => version.sha256)
  assert.equal(kept, ['a', 'g', 'h', 'i', 'j', 'k', 'l', 'new'])
  assert.is(given.versions.length, 10)
  assert.is(given.history.length, 10)
})

test.run()
