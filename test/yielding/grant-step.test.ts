import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Grant, type GrantFacts, grantStep } from '../../runtime/yielding/grant-step.ts'

const test = suite('yielding/grant-step')

const calm: GrantFacts = { queued: 0, waitedMs: 0, stepMs: 100, share: 0.05, p95Ms: 10, boundMs: 20 }

const cases: [what: string, facts: Partial<GrantFacts>, grant: Grant][] = [
  ['nobody waits and p95 is under its bound: go', {}, 'go'],
  ['a request waits: wait', { queued: 1 }, 'wait'],
  ['p95 is near its bound: wait', { p95Ms: 18.1 }, 'wait'],
  ['p95 is over its bound: wait', { p95Ms: 25 }, 'wait'],
  ['nothing was asked lately: go', { p95Ms: undefined }, 'go'],
  ['no profile gives a bound: the queue decides', { p95Ms: 25, boundMs: undefined }, 'go'],
  ['the first step is never kept waiting: it shows what one takes', { stepMs: undefined, queued: 9 }, 'go'],
  ['steps of 100 ms get 5 % after waits of 1,900', { queued: 9, waitedMs: 1899 }, 'wait'],
  ['and then the floor is due', { queued: 9, waitedMs: 1900 }, 'floor'],
  ['longer steps wait longer', { queued: 9, waitedMs: 1900, stepMs: 101 }, 'wait'],
  ['a larger floor is due sooner', { queued: 9, waitedMs: 100, share: 0.5 }, 'floor'],
  ['without a floor it waits for ever', { queued: 9, waitedMs: 1e9, share: 0 }, 'wait'],
]
for (const [what, facts, grant] of cases) {
  test(what, () => assert.is(grantStep({ ...calm, ...facts }), grant))
}

test.run()
