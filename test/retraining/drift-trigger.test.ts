import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { CorunError } from '../../runtime/core/errors.ts'
import { createDriftTrigger, startsNow, type TriggerFacts } from '../../runtime/retraining/drift-trigger.ts'
import { collectingLogger } from '../pool/harness.ts'

const test = suite('retraining/drift-trigger')

const hour = 3_600_000
const facts: TriggerFacts = { drifted: true, cooldownHours: 24, lastStartedAt: undefined, now: 100 * hour }
const cases: [string, Partial<TriggerFacts>, boolean][] = [
  ['a drift without a run before', {}, true],
  ['no drift', { drifted: false }, false],
  ['a retraining that is not to start on drift', { cooldownHours: undefined }, false],
  ['a run within the cool-down', { lastStartedAt: 77 * hour }, false],
  ['a run just before the cool-down', { lastStartedAt: 76 * hour }, true],
  ['no cool-down', { cooldownHours: 0, lastStartedAt: 100 * hour }, true],
]
for (const [name, changed, starts] of cases) {
  test(`${name}: ${starts ? 'starts' : 'does not start'}`, () => {
    assert.is(startsNow({ ...facts, ...changed }), starts)
  })
}

test('too few samples are waited for, told once, and tried again', async () => {
  const { log, lines } = collectingLogger()
  const started: string[] = []
  let enough = false
  const trigger = createDriftTrigger({
    candidates: () => [{ name: 'scene', drifted: true, cooldownHours: 1, lastStartedAt: undefined }],
    async start(name) {
      if (!enough) throw new CorunError('too-few-samples', 'two, and twenty are needed')
      started.push(name)
    },
    clock: { now: () => 0, monotonic: () => 0 },
    log,
  })
  await trigger.check()
  await trigger.check()
  assert.is(lines.filter(line => line.includes('too-few-samples')).length, 1)
  enough = true
  await trigger.check()
  assert.equal(started, ['scene'])
  trigger.close()
})

test.run()
