import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type WatchState,
  type WindowFacts,
  watchBegin,
  watchBound,
} from '../../runtime/dispatch/watch-bound.ts'

const test = suite('dispatch/watch-bound')

const window = (p95Ms: number | undefined, facts: Partial<WindowFacts> = {}): WindowFacts => ({
  p95Ms,
  wholeP95Ms: p95Ms,
  count: 100,
  boundMs: 10,
  slots: 4,
  ...facts,
})
const after = (windows: readonly WindowFacts[], from: WatchState = watchBegin) =>
  windows.reduce(watchBound, from)
const times = (count: number, facts: WindowFacts) => Array<WindowFacts>(count).fill(facts)
const held = (heldBack: number): WatchState => ({ ...watchBegin, heldBack })

const cases: [what: string, from: number, windows: WindowFacts[], heldBack: number][] = [
  ['within the bound nothing is held back', 0, times(50, window(9.9)), 0],
  ['one or two windows over it may be a disturbance', 0, times(2, window(20)), 0],
  ['the third holds one slot back', 0, times(3, window(20)), 1],
  [
    'a good window between starts the count anew',
    0,
    [...times(2, window(20)), window(5), ...times(2, window(20))],
    0,
  ],
  ['slots go one at a time', 0, times(8, window(20)), 2],
  ['the last slot stays', 0, times(100, window(20)), 3],
  ['a single slot is never held back', 0, times(100, window(20, { slots: 1 })), 0],
  ['a few requests say nothing', 0, times(100, window(20, { count: 19 })), 0],
  ['slots come back slowly', 2, times(11, window(5)), 2],
  ['the twelfth good window gives one back', 2, times(12, window(5)), 1],
  ['a quiet box gives them back too', 2, times(24, window(undefined, { count: 0 })), 0],
  ['close under the bound they stay away', 2, times(100, window(9.5)), 2],
  [
    'a slot whose want makes requests wait longer on the whole is given back',
    0,
    [...times(3, window(20)), window(15, { wholeP95Ms: 26 })],
    0,
  ],
  [
    'and is not tried again for a while, though the bound stays broken',
    0,
    [...times(3, window(20)), window(15, { wholeP95Ms: 26 }), ...times(11, window(20))],
    0,
  ],
  [
    'then it is tried again',
    0,
    [...times(3, window(20)), window(15, { wholeP95Ms: 26 }), ...times(12, window(20))],
    1,
  ],
  [
    'one that costs a little stays',
    0,
    [...times(3, window(20)), ...times(3, window(9, { wholeP95Ms: 24 }))],
    1,
  ],
  [
    'when requests wait longer than they run later on, it is given back, too',
    0,
    [...times(3, window(20)), ...times(3, window(9)), ...times(3, window(9.5, { wholeP95Ms: 20 }))],
    0,
  ],
  [
    'one busy window or two are no reason',
    0,
    [...times(3, window(20)), ...times(3, window(9)), ...times(2, window(9.5, { wholeP95Ms: 20 }))],
    1,
  ],
  ['without a bound nothing is held back', 2, [window(20, { boundMs: undefined })], 0],
  ['of fewer slots no more are held back than leave one', 3, [window(9.5, { slots: 2 })], 1],
]
for (const [what, from, windows, heldBack] of cases) {
  test(what, () => assert.is(after(windows, held(from)).heldBack, heldBack))
}

test('each trial in a row that does not help lets twice as long pass, up to ten minutes', () => {
  let state = watchBegin
  const rests: number[] = []
  for (let trial = 0; trial < 6; trial += 1) {
    while (state.heldBack === 0) state = watchBound(state, window(20))
    state = watchBound(state, window(15, { wholeP95Ms: 50 }))
    rests.push(state.rest)
  }
  assert.equal(rests, [12, 24, 48, 96, 120, 120])
})

test.run()
