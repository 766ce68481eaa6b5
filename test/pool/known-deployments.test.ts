import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Deployment } from '../../runtime/core/deployment.ts'
import type { PoolTask } from '../../runtime/core/messages.ts'
import { createKnownDeployments } from '../../runtime/pool/known-deployments.ts'

const test = suite('pool/known-deployments')

const deployment = (id: string): Deployment => ({
  ...{ id, function: 'f', bundle: '', bundleHash: '', models: {} },
  description: {
    form: 'fetch',
    timeoutMs: 1,
    input: { kind: 'request' },
    outputSchema: undefined,
    models: {},
  },
})
const load = (id: string): PoolTask => ({ type: 'load', deployment: deployment(id) })
const invoke = (id: string): PoolTask => ({
  ...{ type: 'invoke', deployment: deployment(id), remainingMs: 1 },
  request: { requestId: '', method: 'GET', url: '', headers: [], body: new Uint8Array() },
})
const short = (task: PoolTask) => task.type === 'invoke' && !('models' in task.deployment)

test('a thread that has loaded a deployment gets its name, another one gets all of it', () => {
  const known = createKnownDeployments(() => [1, 2])
  assert.not.ok(short(known.shorten(invoke('a'), 1)))
  known.done(load('a'), 1)
  assert.ok(short(known.shorten(invoke('a'), 1)))
  assert.not.ok(short(known.shorten(invoke('b'), 1)))
  assert.not.ok(short(known.shorten(invoke('a'), 2)))
  known.done(invoke('a'), 2)
  assert.ok(short(known.shorten(invoke('a'), 2)), 'a request has loaded it, too')
})

test('the body travels as it is, without a copy', () => {
  const known = createKnownDeployments(() => [1])
  known.done(load('a'), 1)
  const task = invoke('a')
  const sent = known.shorten(task, 1)
  assert.is(sent.type === 'invoke' && sent.request, task.type === 'invoke' && task.request)
})

test('after an unload all of it is sent again', () => {
  const known = createKnownDeployments(() => [1])
  known.done(load('a'), 1)
  known.shorten({ type: 'unload', deploymentId: 'a' }, 1)
  assert.not.ok(short(known.shorten(invoke('a'), 1)))
})

test('what a thread knew ends with it', () => {
  let threads = [1, 2]
  const known = createKnownDeployments(() => threads)
  known.done(load('a'), 1)
  threads = [2, 3]
  known.done(load('a'), 2)
  assert.not.ok(short(known.shorten(invoke('a'), 1)))
  assert.ok(short(known.shorten(invoke('a'), 2)))
})

test('those with a dispose that were sent to a thread are to be disposed of there, until they are unloaded', () => {
  let threads = [1]
  const known = createKnownDeployments(() => threads)
  const disposing = (id: string) => {
    const made = deployment(id)
    return { ...made, description: { ...made.description, disposes: true } }
  }
  const sent = (threadId: number) => known.toDispose(threadId).map(({ id }) => id)
  known.shorten({ type: 'load', deployment: disposing('a') }, 1)
  // Whether it is loaded is not known when its thread has not answered.
  known.shorten({ ...invoke('b'), deployment: disposing('b') } as PoolTask, 1)
  known.shorten(load('without'), 1)
  assert.equal(sent(1), ['a', 'b'])
  assert.equal(sent(2), [])
  known.shorten({ type: 'unload', deploymentId: 'a' }, 1)
  assert.equal(sent(1), ['b'])
  threads = [2]
  known.shorten({ type: 'load', deployment: disposing('a') }, 2)
  assert.equal([sent(1), sent(2)], [[], ['a']])
})

test.run()
