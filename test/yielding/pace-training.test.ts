import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type PaceFacts,
  type PaceState,
  paceBegin,
  paceTraining,
} from '../../runtime/yielding/pace-training.ts'

const test = suite('yielding/pace-training')

/** A quarter of a second in which a trainer of two threads got `ranMs`; its floor of 5 % is 25 ms of it. */
const look = (ranMs: number, facts: Partial<PaceFacts> = {}): PaceFacts => ({
  ...{ elapsedMs: 250, ranMs, threads: 2, share: 0.05, p95Ms: 10, boundMs: 20 },
  ...facts,
})
const times = (count: number, facts: PaceFacts) => Array<PaceFacts>(count).fill(facts)
const after = (looks: readonly PaceFacts[], from: PaceState = paceBegin) => looks.reduce(paceTraining, from)
const burst = (owedMs: number): PaceState => ({ level: 'burst', owedMs })

const cases: [what: string, from: PaceState, looks: PaceFacts[], level: PaceState['level']][] = [
  ['a trainer that gets all it wants is left idle', paceBegin, times(50, look(450)), 'idle'],
  ['one that gets just its floor, too', paceBegin, times(50, look(25)), 'idle'],
  ['half a second without anything is no reason yet', paceBegin, times(2, look(0)), 'idle'],
  ['after it a burst begins', paceBegin, times(3, look(0)), 'burst'],
  [
    'a starving one gets its burst, whatever it had a minute ago',
    paceBegin,
    [...times(240, look(450)), ...times(7, look(0))],
    'burst',
  ],
  ['what it had a moment ago counts', paceBegin, [look(450), ...times(3, look(0))], 'idle'],
  ['a burst goes on while the floor is owed', burst(60), [look(30)], 'burst'],
  ['with room under the bound it goes on until the trainer is ahead', burst(10), [look(50)], 'burst'],
  ['it ends when the trainer is ahead', burst(10), [look(90)], 'idle'],
  ['near the bound it ends as soon as the floor is met', burst(10), [look(50, { p95Ms: 18.1 })], 'idle'],
  ['near the bound the floor is kept all the same', burst(60), [look(30, { p95Ms: 30 })], 'burst'],
  ['without a profile there is no bound to be near', burst(10), [look(50, { boundMs: undefined })], 'burst'],
  [
    'a debt is capped: after an hour of hunger ten seconds are made up for',
    burst(1000),
    [...times(14_400, look(0)), ...times(10, look(140))],
    'idle',
  ],
  ['without a floor there are no bursts', burst(60), [look(0, { share: 0 })], 'idle'],
  [
    'a larger floor is more than the same trainer gets',
    paceBegin,
    times(4, look(60, { share: 0.3 })),
    'burst',
  ],
]
for (const [what, from, looks, level] of cases) {
  test(what, () => assert.is(after(looks, from).level, level))
}

test('a trainer that gets twice its floor when raised and nothing else gets its floor', () => {
  let state = paceBegin
  let ran = 0
  for (let turn = 0; turn < 400; turn += 1) {
    const ranMs = state.level === 'burst' ? 50 : 0
    ran += ranMs
    state = paceTraining(state, look(ranMs))
  }
  const share = ran / (400 * 250 * 2)
  assert.ok(share >= 0.049 && share <= 0.053, `share ${share}`)
})

test.run()
