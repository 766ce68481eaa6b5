import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type AdmissionFacts,
  admit,
  retryAfterSeconds,
  retryWhenInTimeSeconds,
} from '../../runtime/dispatch/admission.ts'

const test = suite('dispatch/admission')

const calm: AdmissionFacts = {
  slots: 2,
  running: 0,
  queued: 0,
  queueLimit: 3,
  functionInFlight: 0,
  maxInFlight: undefined,
  timeoutMs: 1000,
  predictedMs: undefined,
  draining: false,
}

const cases: [string, Partial<AdmissionFacts>, ReturnType<typeof admit>][] = [
  ['a free slot is taken at once', {}, 'run'],
  ['the last free slot is taken at once', { running: 1 }, 'run'],
  ['with no free slot a request waits', { running: 2 }, 'queue'],
  ['nobody overtakes those who wait, even when a slot is free', { running: 1, queued: 1 }, 'queue'],
  ['the last place in the queue is taken', { running: 2, queued: 2 }, 'queue'],
  ['past the bound the box is saturated', { running: 2, queued: 3 }, 'saturated'],
  ['with a queue of none a busy box is saturated', { running: 2, queueLimit: 0 }, 'saturated'],
  ['with a queue of none a free slot still runs', { running: 1, queueLimit: 0 }, 'run'],
  ['after slots shrank, those over the number count as none free', { running: 2, slots: 1 }, 'queue'],
  ["a function's own limit comes first", { maxInFlight: 2, functionInFlight: 2 }, 'function-busy'],
  ['below its own limit a function runs', { maxInFlight: 2, functionInFlight: 1 }, 'run'],
  ['one who would be too late is refused at once', { running: 2, predictedMs: 1001 }, 'too-late'],
  ['one who would just be in time waits', { running: 2, predictedMs: 1000 }, 'queue'],
  ['a free slot is given whatever is predicted', { running: 1, predictedMs: 5000 }, 'run'],
  ['a full queue is full, however fast it moves', { running: 2, queued: 3, predictedMs: 10 }, 'saturated'],
  ['while it drains the box takes nothing', { draining: true }, 'shutting-down'],
]
for (const [name, facts, expected] of cases) {
  test(name, () => assert.is(admit({ ...calm, ...facts }), expected))
}

test('Retry-After is the time in which the queue drains, between 1 and 60 whole seconds', () => {
  assert.is(retryAfterSeconds(0, 2, 10), 1)
  assert.is(retryAfterSeconds(99, 2, 100), 5)
  assert.is(retryAfterSeconds(10_000, 1, 1000), 60)
})

test('who would be too late may come back when enough of the queue is done', () => {
  assert.is(retryWhenInTimeSeconds(1001, 1000), 1)
  assert.is(retryWhenInTimeSeconds(4200, 1000), 4)
  assert.is(retryWhenInTimeSeconds(1e6, 1000), 60)
})

test.run()
