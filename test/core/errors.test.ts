import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError, deserializeError, errorKinds, serializeError } from '../../runtime/core/errors.ts'

const test = suite('core/errors')

test('an error keeps its code, message and details across a process border', () => {
  const sent = new CorunError('unknown-label', 'label "cat" is not known', { details: { labels: ['dog'] } })
  const received = deserializeError(JSON.parse(JSON.stringify(serializeError(sent, 'internal-error'))))
  assert.is(received.code, 'unknown-label')
  assert.is(received.message, sent.message)
  assert.equal(received.details, { labels: ['dog'] })
  assert.is(received.status, 422)
})

test('an unexpected error takes the fallback code', () => {
  assert.is(serializeError(new TypeError('x is not a function'), 'handler-error').code, 'handler-error')
  assert.is(serializeError('thrown text', 'internal-error').message, 'thrown text')
})

test('every kind has a title and a hint that end the way the README prints them', () => {
  for (const [code, kind] of Object.entries(errorKinds)) {
    assert.match(code, /^[a-z][a-z-]+$/)
    assert.match(kind.hint, /\.$/, code)
    assert.not.match(kind.title, /\.$/, code)
  }
})

test.run()
