import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { FunctionSource } from '../../runtime/registry/discover.ts'
import { planReload, type WatchedFunction } from '../../runtime/registry/plan-reload.ts'

const test = suite('registry/plan-reload')

const source = (name: string, more: Partial<FunctionSource> = {}): FunctionSource => ({
  name,
  file: `/f/${name}/function.ts`,
  folder: `/f/${name}`,
  ...more,
})
const watched = (name: string, more: Partial<WatchedFunction> = {}): WatchedFunction => ({
  source: source(name),
  files: new Set([`/f/${name}/function.ts`, `/f/${name}/net.onnx`, '/f/_lib/shared.ts']),
  ...more,
})

interface Case {
  known?: WatchedFunction[]
  found?: FunctionSource[]
  changed?: string[]
  retry?: boolean
  deploy?: string[]
  remove?: string[]
}
const cases: [string, Case][] = [
  ['nothing has happened', { known: [watched('a')], found: [source('a')] }],
  ['a new folder is deployed', { found: [source('a')], deploy: ['a'] }],
  ['a folder that is gone is removed', { known: [watched('a')], remove: ['a'] }],
  [
    'a changed input deploys the function that has it',
    {
      known: [watched('a'), watched('b')],
      found: [source('a'), source('b')],
      changed: ['/f/a/function.ts'],
      deploy: ['a'],
    },
  ],
  [
    'so does its model',
    { known: [watched('a')], found: [source('a')], changed: ['/f/a/net.onnx'], deploy: ['a'] },
  ],
  [
    'a shared input deploys all that have it',
    {
      known: [watched('a'), watched('b')],
      found: [source('a'), source('b')],
      changed: ['/f/_lib/shared.ts'],
      deploy: ['a', 'b'],
    },
  ],
  [
    'a file beside the source that is no part of it changes nothing',
    { known: [watched('a')], found: [source('a')], changed: ['/f/a/notes.md', '/f/a'] },
  ],
  [
    'a source that moved is deployed from where it is',
    { known: [watched('a')], found: [source('a', { file: '/f/a.ts', folder: '/f' })], deploy: ['a'] },
  ],
  [
    'a retraining that came deploys, though no known file changed',
    { known: [watched('a')], found: [source('a', { retraining: '/f/a/retrain.ts' })], deploy: ['a'] },
  ],
  [
    'a retraining that went deploys',
    {
      known: [watched('a', { source: source('a', { retraining: '/f/a/retrain.ts' }) })],
      found: [source('a')],
      deploy: ['a'],
    },
  ],
  [
    'one that failed is tried again with any file of its folder',
    {
      known: [watched('a', { failure: 'other' })],
      found: [source('a')],
      changed: ['/f/a/new.ts'],
      deploy: ['a'],
    },
  ],
  [
    'but not with one of a neighbour whose name begins alike',
    { known: [watched('a', { failure: 'other' })], found: [source('a')], changed: ['/f/ab/new.ts'] },
  ],
  [
    'what failed for want of a file is tried again from time to time',
    { known: [watched('a', { failure: 'unresolved' })], found: [source('a')], retry: true, deploy: ['a'] },
  ],
  [
    'what failed otherwise is not',
    { known: [watched('a', { failure: 'other' })], found: [source('a')], retry: true },
  ],
]
for (const [
  name,
  { known = [], found = [], changed = [], retry = false, deploy = [], remove = [] },
] of cases) {
  test(name, () => {
    const facts = { found, changed: new Set(changed), retry }
    const plan = planReload(new Map(known.map(each => [each.source.name, each])), facts)
    assert.equal({ deploy: plan.deploy.map(each => each.name), remove: plan.remove }, { deploy, remove })
  })
}

test.run()
