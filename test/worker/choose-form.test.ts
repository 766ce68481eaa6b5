import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { chooseForm, type FormFacts } from '../../runtime/worker/choose-form.ts'

const test = suite('worker/choose-form')

const mebibyte = 2 ** 20
const trial = (facts: Partial<FormFacts['trial']> = {}): NonNullable<FormFacts['trial']> => ({
  weightBytes: 10 * mebibyte,
  same: true,
  plainMs: [40, 12, 11],
  sharedMs: [11, 90, 11],
  ...facts,
})

const cases: [string, Partial<FormFacts>, 'shared' | 'plain' | 'try', RegExp?][] = [
  ['a model on the CPU is tried', {}, 'try'],
  ['a tiny model is not', { fileBytes: 5 * mebibyte }, 'plain', /too small/],
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
  [
    'a little time is lost for the memory of its copies',
    { trial: trial({ plainMs: [10], sharedMs: [10.8] }) },
    'shared',
  ],
  ['and not much', { trial: trial({ plainMs: [10], sharedMs: [12.5] }) }, 'plain', /1\.25.* 1\.1 at/],
]
for (const [name, facts, form, why = /./] of cases) {
  test(name, () => {
    const choice = chooseForm({ provider: 'cpu', fileBytes: 10 * mebibyte, ...facts })
    assert.is(choice === 'try' ? choice : choice.form, form)
    if (choice !== 'try') assert.match(choice.why, why)
  })
}

test.run()
