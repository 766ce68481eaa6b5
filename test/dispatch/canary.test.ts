import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Answered } from '../../runtime/canary/answers.ts'
import { systemClock } from '../../runtime/core/clock.ts'
import type { Arm, Deployment } from '../../runtime/core/deployment.ts'
import { CorunError, serializeError } from '../../runtime/core/errors.ts'
import type { InvocationRequest, PoolReply, PoolTask } from '../../runtime/core/messages.ts'
import { createDispatcher, type InvocationEnd } from '../../runtime/dispatch/dispatcher.ts'
import { until } from '../eventually.ts'
import { fetchDeployment } from './fetch-deployment.ts'

const test = suite('dispatch/canary')

type Task = Extract<PoolTask, { type: 'invoke' | 'invoke-batch' }>

/** Requests whose id begins with `c` are for the candidate, and those with `s` are copied to it. */
function setUp({ slots = 1, batch = 1 } = {}) {
  const tasks: { task: Task; end(reply?: PoolReply<'invoke'>): void }[] = []
  const ends: InvocationEnd[] = []
  const shadowed: { requestId: string; original: Answered; copy: Answered | undefined }[] = []
  let tried: Deployment | undefined = fetchDeployment('candidate')
  const deployments = { current: fetchDeployment('current') }
  const dispatcher = createDispatcher({
    ...{ slots, batch, queueLimit: 10, clock: systemClock },
    deployed: () => deployments.current,
    acquire: (_name, _admitted, arm: Arm = 'current') => ({
      deployment: (arm === 'candidate' ? tried : undefined) ?? deployments.current,
      release: () => {},
    }),
    run: task =>
      new Promise(resolve => {
        const answer = { status: 200, headers: [], body: new Uint8Array([1]) }
        tasks.push({
          task: task as Task,
          end: (reply = { ok: true, result: answer, runMs: 3 }) => resolve(reply as never),
        })
      }),
    canaries: {
      armOf: (_, requestId) => (requestId.startsWith('c') ? 'candidate' : 'current'),
      shadows: (_, requestId) => requestId.startsWith('s'),
      shadowed: (_, requestId, original, copy) => void shadowed.push({ requestId, original, copy }),
    },
    onEnd: end => void ends.push(end),
  })
  const request = (requestId: string, body: Uint8Array = new Uint8Array()): InvocationRequest => ({
    ...{ requestId, method: 'POST', url: 'http://box/fn/f', headers: [], body },
  })
  return {
    ...{ dispatcher, tasks, ends, shadowed },
    ask: (requestId: string, body?: Uint8Array) => dispatcher.invoke('f', request(requestId, body)),
    endTrial() {
      tried = undefined
    },
  }
}
const idsOf = ({ task }: { task: Task }): string[] =>
  task.type === 'invoke' ? [task.request.requestId] : task.calls.map(({ request }) => request.requestId)

test('a request goes to the version that its id is for, and its answer says which', async () => {
  const { ask, tasks, ends } = setUp({ slots: 2 })
  const answers = [ask('c1'), ask('r1')]
  await until(() => tasks.length === 2)
  for (const { end } of tasks) end()
  assert.equal(
    (await Promise.all(answers)).map(({ deployment }) => deployment.id),
    ['candidate', 'current'],
  )
  assert.equal(
    ends.map(({ deployment, status }) => [deployment, status]),
    [
      ['candidate', 200],
      ['current', 200],
    ],
  )
})

test('requests of two versions never share a run', async () => {
  const { ask, tasks } = setUp({ batch: 8 })
  const answers = [ask('first'), ask('c1'), ask('r1'), ask('c2'), ask('r2')]
  await until(() => tasks.length === 1)
  tasks[0]?.end()
  await until(() => tasks.length === 2)
  assert.equal(tasks.slice(1).map(idsOf), [['c1', 'c2']])
  assert.is(tasks[1]?.task.deployment.id, 'candidate')
  assert.is(tasks[1]?.task.type, 'invoke-batch')
  // The port of a batch answers; for what is looked at here its end is enough.
  const settled = Promise.allSettled(answers)
  const failed = { error: serializeError(new CorunError('handler-error', 'x'), 'internal-error'), runMs: 1 }
  tasks[1]?.end({ ok: false, ...failed })
  await until(() => tasks.length === 3)
  assert.equal(tasks.slice(2).map(idsOf), [['r1', 'r2']])
  assert.is(tasks[2]?.task.deployment.id, 'current')
  tasks[2]?.end({ ok: false, ...failed })
  await settled
})

test('a request that waited for a trial that is over is answered by the version that serves', async () => {
  const { ask, tasks, endTrial } = setUp()
  const first = ask('first')
  const second = ask('c1')
  endTrial()
  await until(() => tasks.length === 1)
  tasks[0]?.end()
  await first
  await until(() => tasks.length === 2)
  tasks[1]?.end()
  assert.is((await second).deployment.id, 'current')
})

test('the candidate gets a copy after the caller has its answer, body and all, and both are compared', async () => {
  const { ask, tasks, shadowed, ends } = setUp()
  const body = new Uint8Array(2 ** 20).fill(7)
  const answer = ask('s1', body)
  await until(() => tasks.length === 1)
  // As the border between threads does with a large body.
  structuredClone(body.buffer, { transfer: [body.buffer] })
  tasks[0]?.end()
  assert.is((await answer).deployment.id, 'current')
  await until(() => tasks.length === 2)
  const { task, end } = tasks[1] ?? {}
  assert.is(task?.deployment.id, 'candidate')
  assert.is(task?.type === 'invoke' ? task.request.body.byteLength : 0, 2 ** 20)
  end?.({
    ok: false,
    error: serializeError(new CorunError('handler-error', 'worse'), 'internal-error'),
    runMs: 9,
  })
  await until(() => shadowed.length === 1)
  const { original, copy } = shadowed[0] ?? {}
  assert.equal([original?.status, original?.runMs, original?.deployment.id], [200, 3, 'current'])
  assert.equal(
    [(copy?.error as CorunError | undefined)?.code, copy?.runMs, copy?.deployment.id],
    ['handler-error', 9, 'candidate'],
  )
  assert.is(ends.length, 1, 'a copy is no request')
})

test('a copy has no slot while requests want it: it is skipped, and only one runs at a time', async () => {
  const { ask, tasks, shadowed } = setUp()
  const answers = [ask('s1'), ask('r1')]
  await until(() => tasks.length === 1)
  tasks[0]?.end()
  await until(() => shadowed.length === 1)
  assert.equal([shadowed[0]?.requestId, shadowed[0]?.copy], ['s1', undefined])
  assert.equal(tasks.flatMap(idsOf), ['s1', 'r1'])
  tasks[1]?.end()
  await Promise.all(answers)

  const wide = setUp({ slots: 4 })
  const both = [wide.ask('s1'), wide.ask('s2')]
  await until(() => wide.tasks.length === 2)
  for (const { end } of wide.tasks) end()
  await Promise.all(both)
  await until(() => wide.shadowed.length === 1)
  assert.equal([wide.shadowed[0]?.requestId, wide.shadowed[0]?.copy], ['s2', undefined])
  assert.is(wide.tasks.length, 3)
  wide.tasks[2]?.end()
})

test('the end of the server waits for a copy that runs, and begins no other', async () => {
  const { ask, dispatcher, tasks, shadowed } = setUp({ slots: 2 })
  const first = ask('s1')
  const second = ask('s2')
  await until(() => tasks.length === 2)
  tasks[0]?.end()
  await first
  await until(() => tasks.length === 3)
  let drained = false
  const draining = dispatcher.drain().then(() => {
    drained = true
  })
  tasks[1]?.end()
  await second
  await until(() => shadowed.length === 1)
  assert.equal([shadowed[0]?.requestId, shadowed[0]?.copy, drained], ['s2', undefined, false])
  tasks[2]?.end()
  await draining
})

test.run()
