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
  count: 100,
  boundMs: 10,
  slots: 4,
  ...facts,
})
const after = (windows: readonly WindowFacts[], from: WatchState = watchBegin) =>
  windows.reduce(watchBound, from)
const times = (count: number, facts: WindowFacts) => Array<WindowFacts>(count).fill(facts)
const held = (heldBack: number): WatchState => ({ heldBack, over: 0, under: 0 })

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
  ['without a bound nothing is held back', 2, [window(20, { boundMs: undefined })], 0],
  ['of fewer slots no more are held back than leave one', 3, [window(9.5, { slots: 2 })], 1],
]
for (const [what, from, windows, heldBack] of cases) {
  test(what, () => assert.is(after(windows, held(from)).heldBack, heldBack))
}

test.run()
