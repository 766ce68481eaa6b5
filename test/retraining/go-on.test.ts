import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { triesAt, whyNotGoOn } from '../../runtime/retraining/go-on.ts'
import { skipReason, type WorthFacts } from '../../runtime/retraining/worth-running.ts'

const test = suite('retraining/go-on')

const file = (name: string, label = 'a') => ({ file: name, label })
const job = {
  bundle: 'b1',
  training: [file('1'), file('2')],
  validation: [file('3')],
  heldOut: [file('4', 'b')],
}
const samples = new Map([
  ['1', 'a'],
  ['2', 'a'],
  ['3', 'a'],
  ['4', 'b'],
])
const present = { current: 'v1', bundle: 'b1', samples }
for (const [what, facts, why] of [
  ['nothing has changed', present, undefined],
  ['samples have come', { ...present, samples: new Map([...samples, ['5', 'a']]) }, undefined],
  ['another version serves', { ...present, current: 'v2' }, /another version/],
  ['the definition has changed', { ...present, bundle: 'b2' }, /definition/],
  ['two samples are gone', { ...present, samples: new Map([...samples].slice(2)) }, /^2 of its samples/],
  ['one has another label', { ...present, samples: new Map([...samples, ['4', 'a']]) }, /^1 of its samples/],
] as const) {
  test(`${what}: ${why ? 'the run begins anew' : 'the run goes on'}`, () => {
    const found = whyNotGoOn(job, 'v1', facts)
    if (why === undefined) assert.is(found, undefined)
    else assert.match(found ?? '', why)
  })
}

test('tries are counted while a run does not get on', () => {
  assert.is(triesAt(20, null), 1)
  assert.is(triesAt(20, { step: 20, tries: 3 }), 4)
  assert.is(triesAt(40, { step: 20, tries: 3 }), 1)
})

const facts: WorthFacts = {
  by: 'schedule',
  lastRunAt: '2026-01-01T00:00:00.000Z',
  newSamples: 3,
  minNewSamples: 10,
  drift: 'stable',
}
for (const [what, given, skipped] of [
  ['too few new samples', {}, true],
  ['enough new samples', { newSamples: 10 }, false],
  ['the first run', { lastRunAt: undefined }, false],
  ['a run by hand', { by: 'operator' }, false],
  ['a run on drift', { by: 'drift' }, false],
  ['a drifted model', { drift: 'drifted' }, false],
  ['a model that may drift', { drift: 'warning' }, false],
] as const) {
  test(`${what}: ${skipped ? 'skipped, with the numbers' : 'it runs'}`, () => {
    const reason = skipReason({ ...facts, ...given })
    if (skipped) assert.match(reason ?? '', /3 samples .* at least 10/)
    else assert.is(reason, undefined)
  })
}

test.run()
