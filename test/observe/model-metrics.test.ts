import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { modelMemory } from '../../runtime/core/model-memory.ts'
import { createMetrics } from '../../runtime/observe/metrics.ts'
import { createDeploymentModel } from '../drift/fixtures.ts'

const test = suite('observe/model-metrics')

const model = (form: 'shared' | 'plain') =>
  createDeploymentModel({ prepared: { form, why: 'measured', weightBytes: 1000 } })

test('shared weights count once, plain ones once a session, and what is not known is not told', () => {
  assert.is(modelMemory(model('shared'), 4)?.estimatedBytes, 1000)
  assert.is(modelMemory(model('plain'), 4)?.estimatedBytes, 4000)
  assert.is(modelMemory(model('shared'), 0)?.estimatedBytes, 0)
  assert.is(modelMemory(createDeploymentModel({}), 4), undefined)
})

test('sessions and memory of a model are in the metrics while it serves', async () => {
  const models = [
    { model: 'scene.net', role: 'serving', weights: 'shared', sessions: 4, estimatedBytes: 1000 } as const,
  ]
  const metrics = createMetrics({
    slots: () => ({ slots: 1, batch: 1, running: 0, queued: 0 }),
    scheduler: () => ({ heldBack: 0, p95Ms: null, boundMs: null, ceiling: { slots: null, batch: null } }),
    threads: () => ({ threads: 4, restarts: 0, restartsBy: {} }),
    training: () => ({ active: false, waitedMs: 0, bursts: 0 }),
    invocations: () => ({ waiting: 0, running: 0, kept: 0, bytes: 0 }),
    drift: () => [],
    models: () => models,
    canaries: () => [],
  })
  const text = await metrics.text()
  assert.match(text, 'corun_model_sessions{model="scene.net",weights="shared",role="serving"} 4')
  assert.match(
    text,
    'corun_model_weights_bytes_estimate{model="scene.net",weights="shared",role="serving"} 1000',
  )
  models.pop()
  assert.not.match(await metrics.text(), 'scene.net')
})

test.run()
