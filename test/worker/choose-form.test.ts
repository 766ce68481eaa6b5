import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chooseForm, type FormFacts } from '../../runtime/worker/choose-form.ts'

const test = suite('worker/choose-form')

const mebibyte = 2 ** 20
const trial = (facts: Partial<FormFacts['trial']> = {}): NonNullable<FormFacts['trial']> => ({
  weightBytes: 4 * mebibyte,
  same: true,
  plainMs: [10, 12, 11],
  sharedMs: [11, 90, 11],
  ...facts,
})
const large = { weightBytes: 100 * mebibyte }

const cases: [string, Partial<FormFacts>, 'shared' | 'plain' | 'try', RegExp?][] = [
  ['a model on the CPU is tried', {}, 'try'],
  ['a tiny model is not', { fileBytes: 500_000 }, 'plain', /too small/],
  ['nor one whose weights lie in another memory', { provider: 'webgpu' }, 'plain', /webgpu/],
  [
    'one that answers the same as fast is shared, whatever one run took',
    { trial: trial() },
    'shared',
    /1\.00/,
  ],
  ['other answers are not', { trial: trial({ same: false }) }, 'plain', /otherwise/],
  ['nor answers that could not be compared', { trial: trial({ same: undefined }) }, 'plain', /made up/],
  ['a model of code without weights stays plain', { trial: trial({ weightBytes: 10 }) }, 'plain', /weights/],
  ['a small model may lose 10 %', { trial: trial({ plainMs: [10], sharedMs: [10.9] }) }, 'shared'],
  ['and not more', { trial: trial({ plainMs: [10], sharedMs: [11.2] }) }, 'plain', /1\.12.* 1\.1 at/],
  [
    'a large one may lose more for the memory of its copies',
    { trial: trial({ ...large, plainMs: [10], sharedMs: [11.8] }) },
    'shared',
  ],
  ['and not all', { trial: trial({ ...large, plainMs: [10], sharedMs: [16] }) }, 'plain', /1\.60/],
]
for (const [name, facts, form, why = /./] of cases) {
  test(name, () => {
    const choice = chooseForm({ provider: 'cpu', fileBytes: 5 * mebibyte, ...facts })
    assert.is(choice === 'try' ? choice : choice.form, form)
    if (choice !== 'try') assert.match(choice.why, why)
  })
}

test.run()
