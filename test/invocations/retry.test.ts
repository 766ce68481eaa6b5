import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { prefersAsync } from '../../runtime/http/prefer.ts'
import { callbackHeaders, checkCallback } from '../../runtime/invocations/callback.ts'
import {
  callbackDelayMs,
  callbackVerdict,
  mostAttempts,
  refusedDelayMs,
} from '../../runtime/invocations/retry.ts'

const test = suite('invocations/retry')

test('the delay of a callback grows fourfold, half of it by chance, and ends', () => {
  assert.is(callbackDelayMs(1, 0), 1000)
  assert.is(callbackDelayMs(1, 1), 2000)
  assert.is(callbackDelayMs(3, 1), 32_000)
  assert.is(callbackDelayMs(mostAttempts - 1, 1), 15 * 60_000)
  assert.is(callbackDelayMs(mostAttempts, 0), undefined)
})

test('what was refused waits from 0.1 to 10 seconds', () => {
  assert.equal([1, 2, 3, 8, 1000].map(refusedDelayMs), [100, 200, 400, 10_000, 10_000])
})

const verdicts: [number | string, string][] = [
  [200, 'delivered'],
  [204, 'delivered'],
  [302, 'retry'],
  [404, 'retry'],
  [410, 'failed'],
  [500, 'retry'],
  ['connect ECONNREFUSED', 'retry'],
]
for (const [last, verdict] of verdicts) {
  test(`a callback that is answered ${last} is ${verdict}`, () => assert.is(callbackVerdict(last), verdict))
}

test('signatures are those of the example of Standard Webhooks', () => {
  const message = {
    id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    now: 1_614_265_330_000,
    body: '{"test": 2432232314}',
  }
  const headers = callbackHeaders(message, 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
  assert.is(headers['webhook-timestamp'], '1614265330')
  assert.is(headers['webhook-signature'], 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=')
  assert.is(callbackHeaders(message, undefined)['webhook-signature'], undefined)
})

for (const url of ['', 'ftp://a/b', 'javascript:1', '/path', 'http://user:word@host/']) {
  test(`"${url}" is no callback`, () => assert.throws(() => checkCallback(url, undefined), /callback/))
}
test('callbacks go where they may', () => {
  assert.is(checkCallback('https://a.example/x', ['a.example']), 'https://a.example/x')
  assert.throws(() => checkCallback('https://b.example/x', ['a.example']), /b\.example/)
})

const preferences: [string | undefined, boolean][] = [
  [undefined, false],
  ['respond-async', true],
  ['wait=10, Respond-Async', true],
  ['respond-async; foo=bar', true],
  ['return=minimal', false],
]
for (const [header, wanted] of preferences) {
  test(`Prefer: ${header} ${wanted ? 'is' : 'is not'} asynchronous`, () =>
    assert.is(prefersAsync(header), wanted))
}

test.run()
