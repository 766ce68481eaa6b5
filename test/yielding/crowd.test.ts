import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type CrowdFacts, createCrowd, isCrowded } from '../../runtime/yielding/crowd.ts'

const test = suite('yielding/crowd')

const within = (running: number): CrowdFacts => ({ running, overBound: false })
const over = (running: number): CrowdFacts => ({ running, overBound: true })
const cases: [what: string, facts: CrowdFacts, crowdedFrom: number | undefined, crowded: boolean][] = [
  ['no request', within(0), 2, false],
  ['fewer than want every core', within(1), 2, false],
  ['as many as want every core', within(2), 2, true],
  ['more than that', within(3), 2, true],
  ['one over the bound', over(1), 2, true],
  ['none over the bound', over(0), 2, false],
  ['any number where none is too many', within(100), undefined, false],
  ['the same over the bound', over(100), undefined, false],
]
for (const [what, facts, crowdedFrom, crowded] of cases) {
  test(`${what} ${crowded ? 'leaves no room' : 'leaves room'}`, () =>
    assert.is(isCrowded(facts, crowdedFrom), crowded))
}

test('listeners hear of changes alone', () => {
  const crowd = createCrowd(2)
  const heard: boolean[] = []
  crowd.listeners.add(is => heard.push(is))
  for (const running of [1, 2, 3, 1]) crowd.now({ running })
  crowd.now({ overBound: true })
  crowd.now({ running: 2 })
  crowd.now({ overBound: false })
  crowd.now({ running: 0 })
  assert.equal(heard, [true, false, true, false])
  assert.is(crowd.is(), false)
})

test.run()
