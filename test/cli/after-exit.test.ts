import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type AfterExit, afterExit, type ServingExit, stableMs } from '../../runtime/cli/after-exit.ts'

const test = suite('cli/after-exit')

const crash: ServingExit = {
  code: null,
  signal: 'SIGABRT',
  stopping: false,
  wasReady: true,
  upMs: 5000,
  restarts: 0,
}
const exit = (code: number): AfterExit => ({ do: 'exit', code })
const restart = (delayMs: number, restarts: number): AfterExit => ({ do: 'restart', delayMs, restarts })

const cases: [string, Partial<ServingExit>, AfterExit][] = [
  ['a crash is followed by a restart', {}, restart(100, 1)],
  ['each crash in a row waits twice as long', { restarts: 3 }, restart(800, 4)],
  ['the wait is bounded', { restarts: 30 }, restart(30_000, 31)],
  [
    'a process that was well for a while starts from the beginning',
    { restarts: 9, upMs: stableMs },
    restart(100, 1),
  ],
  ['a crash before anything served is one, too', { wasReady: false }, restart(100, 1)],
  ['an error before anything served is the end', { wasReady: false, signal: null, code: 1 }, exit(1)],
  ['wrong use is the end', { wasReady: false, signal: null, code: 2 }, exit(2)],
  ['an unknown exit code before anything served is 1', { wasReady: false, signal: null, code: 13 }, exit(1)],
  ['an error after something served is a crash', { signal: null, code: 1 }, restart(100, 1)],
  ['an end without an error is the end', { signal: null, code: 0 }, exit(0)],
  ['an end that was asked for is the end', { stopping: true, signal: null, code: 0 }, exit(0)],
  ['a stop that failed is told', { stopping: true, signal: null, code: 1 }, exit(1)],
  ['a stop that was forced is told', { stopping: true, signal: 'SIGKILL' }, exit(1)],
]
for (const [name, facts, next] of cases) {
  test(name, () => assert.equal(afterExit({ ...crash, ...facts }), next))
}

test.run()
