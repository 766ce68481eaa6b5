import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { z } from 'zod'
import { defineFunction, image } from '../../runtime/core/definition.ts'
import { checkFunction, checkRetraining } from '../../runtime/core/definition-schema.ts'
import { CorunError } from '../../runtime/core/errors.ts'
import { adam, sgd } from '../../runtime/core/retraining-definition.ts'

const test = suite('core/definition')

const handler = () => ({})

test('both forms and a bare handler are functions', () => {
  assert.is(checkFunction('f', () => new Response()).form, 'fetch')
  assert.is(checkFunction('f', defineFunction({ fetch: () => new Response() })).form, 'fetch')
  assert.is(
    checkFunction('f', defineFunction({ input: z.object({ a: z.number() }), handler })).form,
    'handler',
  )
  assert.is(
    checkFunction('f', defineFunction({ input: image({ width: 8, height: 8 }), handler })).form,
    'handler',
  )
})

const wrong: [string, unknown, RegExp][] = [
  ['no default export', undefined, /default export is missing/],
  ['a number', 3, /is number/],
  ['an unknown field', { handler, timeout: 3 }, /timeout/],
  ['a handler that is none', { handler: 'x' }, /handler: expected a function/],
  ['a time limit of text', { handler, timeoutMs: '2s' }, /timeoutMs/],
  ['an input that is no schema', { handler, input: { type: 'object' } }, /input/],
  ['an image without a size', { handler, input: { kind: 'image' } }, /input/],
  ['a standard deviation of 0', { handler, input: image({ width: 8, height: 8, std: 0 }) }, /input/],
  ['means for two channels', { handler, input: image({ width: 8, height: 8, mean: [0, 0] }) }, /input/],
  ['a model without a path', { handler, models: { m: {} } }, /models\.m\.path/],
]
for (const [name, value, message] of wrong) {
  test(`${name} is refused by name`, () => {
    assert.throws(
      () => checkFunction('scene', value),
      (error: unknown) =>
        error instanceof CorunError &&
        error.code === 'invalid-definition' &&
        error.message.includes('"scene"') &&
        message.test(error.message),
    )
  })
}

test('a number for mean and std goes to every channel', () => {
  assert.equal(image({ width: 4, height: 2, mean: 0.5, std: 0.25 }).mean, [0.5, 0.5, 0.5])
  assert.equal(image({ width: 4, height: 2, channels: 'gray', std: 0.25 }).std, [0.25])
})

test('a retraining is filled with its defaults', () => {
  const checked = checkRetraining('f', { model: 'm' })
  assert.is(checked.trainable, 'all')
  assert.equal(checked.optimizer, adam())
  assert.equal(checked.accept, {
    minGain: 0,
    maxForgetting: 0.02,
    minSamples: 20,
    significance: 0.05,
    maxSlowdown: 0.1,
    minNewSamples: 10,
  })
  assert.is(
    checkRetraining('f', { model: 'm', optimizer: sgd({ learningRate: 0.1 }) }).optimizer.learningRate,
    0.1,
  )
})

const wrongRetrainings: [string, unknown, RegExp][] = [
  ['no model', {}, /model/],
  ['an unknown part', { model: 'm', trainable: 'tail' }, /trainable/],
  ['no epochs', { model: 'm', epochs: 0 }, /epochs/],
  ['a rate of 0', { model: 'm', optimizer: sgd({ learningRate: 0 }) }, /optimizer\.learningRate/],
]
for (const [name, value, message] of wrongRetrainings) {
  test(`a retraining with ${name} is refused by name`, () => {
    assert.throws(
      () => checkRetraining('scene', value),
      (error: unknown) => error instanceof CorunError && message.test(error.message),
    )
  })
}

test.run()
