import { setTimeout } from 'node:timers/promises'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { DeployedModel } from '../../runtime/core/deployment.ts'
import { deploymentId } from '../../runtime/registry/entry.ts'
import { createLeases } from '../../runtime/registry/leases.ts'

const test = suite('registry/entry')

const model = (id: string, sha256: string): DeployedModel => ({
  id,
  sha256,
  file: '/x.onnx',
  labels: [],
  inputs: [],
  outputs: [],
})

test('the id of a deployment depends on the bundle and on every model, and on nothing else', () => {
  const id = deploymentId('b1', { x: model('f.x', 'm1'), y: model('f.y', 'm2') })
  assert.match(id, /^[0-9a-f]{16}$/)
  assert.is(deploymentId('b1', { y: model('f.y', 'm2'), x: { ...model('f.x', 'm1'), file: '/moved' } }), id)
  const others = [
    deploymentId('b2', { x: model('f.x', 'm1'), y: model('f.y', 'm2') }),
    deploymentId('b1', { x: model('f.x', 'm2'), y: model('f.y', 'm1') }),
    deploymentId('b1', { x: model('f.x', 'm1') }),
    deploymentId('b1', { x: model('f.x', 'm1'), y: { ...model('f.y', 'm2'), labels: ['cat'] } }),
  ]
  assert.is(new Set([id, ...others]).size, 5)
})

type Leases = ReturnType<typeof createLeases>
const cases: [string, (leases: Leases) => void, string[]][] = [
  ['nobody holds it: it goes', leases => leases.giveUp('a'), ['a']],
  ['somebody holds it: it stays', leases => void [leases.take('a'), leases.giveUp('a')], []],
  [
    'its last holder leaves: it goes',
    leases => {
      const ends = [leases.take('a'), leases.take('a')]
      leases.giveUp('a')
      for (const end of ends) end()
    },
    ['a'],
  ],
  [
    'one of two holders leaves twice: it stays',
    leases => {
      const [end] = [leases.take('a'), leases.take('a')]
      leases.giveUp('a')
      end?.()
      end?.()
    },
    [],
  ],
  [
    'it is wanted again before its last holder leaves: it stays',
    leases => {
      const end = leases.take('a')
      leases.giveUp('a')
      leases.want('a')
      end()
    },
    [],
  ],
  ['it was never given up: it stays', leases => leases.take('a')(), []],
  [
    'it is wanted again before it has gone: it stays',
    leases => {
      leases.giveUp('a')
      leases.want('a')
    },
    [],
  ],
  [
    'it is taken before it has gone: it goes with that holder',
    leases => {
      leases.giveUp('a')
      leases.take('a')()
    },
    ['a'],
  ],
  [
    'it is taken before it has gone, and held: it stays',
    leases => {
      leases.giveUp('a')
      leases.take('a')
    },
    [],
  ],
  [
    'all is over: nothing is told',
    leases => {
      leases.giveUp('a')
      leases.close()
    },
    [],
  ],
]
for (const [name, play, expected] of cases) {
  test(`a deployment: ${name}`, async () => {
    const unused: string[] = []
    play(createLeases(id => unused.push(id), 1))
    assert.equal(unused, [], 'not while the first requests of another come')
    await setTimeout(10)
    assert.equal(unused, expected)
  })
}

test.run()
