import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { packageRoot } from '../../runtime/core/package-root.ts'
import type { ModelView } from '../../runtime/models/model-view.ts'
import type { RetrainingView } from '../../runtime/retraining/retraining-view.ts'
import { isOver, type RunRecord } from '../../runtime/retraining/run-record.ts'
import { closedLoop, createClient, type LoadItem, openLoop } from '../../scripts/bench/load.ts'
import { runCommand, type ServerProcess, startServer } from '../../scripts/demo/server-process.ts'
import { makeSet } from '../../scripts/pictures/make-set.ts'
import { patiently } from '../eventually.ts'

const test = suite('cli/retraining')

const name = 'text-orientation'
let folder: string
let server: ServerProcess
let args: string[]
const start = () => startServer([...args, '--queue-limit', '10000'])
let items: LoadItem[]

/** The shipped function with a short retraining that always promotes: what is judged here is the loop. */
async function makeFunctions(): Promise<string> {
  const target = join(folder, 'functions', name)
  const few = (file: string) => !/\/reference\/.*\/\d+\.jpg$/.test(file) || /\/0[0-3]\d\.jpg$/.test(file)
  await cp(join(packageRoot, 'functions', name), target, { recursive: true, filter: few })
  // However late: a busy machine may answer none for seconds, and then many at once.
  const source = await readFile(join(target, 'function.ts'), 'utf8')
  await writeFile(
    join(target, 'function.ts'),
    source.replace('defineFunction({', 'defineFunction({ timeoutMs: 600_000,'),
  )
  await writeFile(
    join(target, 'retrain.ts'),
    `import { adam, defineRetraining } from 'corun'
    export default defineRetraining({
      model: 'orientation', optimizer: adam(), epochs: 2, batchSize: 16, reference: 'reference', replay: 0.5,
      accept: { minGain: -1, maxForgetting: 1, maxSlowdown: 100 },
    })`,
  )
  return join(folder, 'functions')
}

const api = async <T>(path: string, method = 'GET'): Promise<T> =>
  (await (await fetch(`${server.url}/api${path}`, { method })).json()) as T

const view = () => api<RetrainingView>(`/retraining/${name}`)
const currentVersion = async () => (await api<ModelView>(`/models/${name}.orientation`)).current

const runUntil = (id: string, reached: (run: RunRecord) => boolean): Promise<RunRecord> =>
  patiently(`${reached} or an end of the run`, async () => {
    const { active, runs } = await view()
    const run = [active, ...runs].find(run => run?.id === id)
    return run && (reached(run) || isOver(run)) ? run : undefined
  })

/** The server's child that trains. */
async function trainerPid(): Promise<number> {
  const children = await readFile(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8')
  for (const pid of children.trim().split(' ').map(Number)) {
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (command.includes('trainer.js')) return pid
  }
  throw new Error('no trainer runs')
}

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  args = ['--port', '0', '--data', join(folder, 'data'), '--functions', await makeFunctions()]
  server = await start()
  const pictures = await makeSet({ count: 96, seed: 11, drift: 'low-light' })
  items = pictures.map(({ image, label }) => ({ body: image, label, contentType: 'image/jpeg' }))
})

test.after(async () => {
  await server.stop()
  await rm(folder, { recursive: true, force: true })
})

test('a run without samples is refused with what is missing', async () => {
  const response = await fetch(`${server.url}/api/retraining/${name}/run`, { method: 'POST' })
  assert.is(response.status, 409)
  assert.is(((await response.json()) as { code: string }).code, 'too-few-samples')
})

test('labelled pictures are taken once, and told apart from new ones', async () => {
  for (const label of ['upright', 'upside-down']) {
    const client = createClient(`${server.url}/api/functions/${name}/samples?label=${label}`, 2)
    const mine = items.filter(item => item.label === label)
    const statuses = await Promise.all(mine.map(async item => (await client.send(item)).status))
    assert.equal(new Set(statuses), new Set([201]))
    assert.is((await client.send(mine[0] as LoadItem)).status, 200)
    client.close()
  }
})

test('a trainer that is killed fails its run alone: serving goes on', async () => {
  const before = await currentVersion()
  const { id } = await api<RunRecord>(`/retraining/${name}/run`, 'POST')
  await runUntil(id, run => run.state === 'training')
  process.kill(await trainerPid(), 'SIGKILL')
  const run = await runUntil(id, isOver)
  assert.is(run.state, 'failed')
  assert.match(run.error?.message ?? '', /SIGKILL/)
  assert.is(await currentVersion(), before)
  assert.is((await closedLoop(`${server.url}/fn/${name}`, items.slice(0, 8), 2)).failed, 0)
})

test('the next run promotes a new version without a restart, while requests go on and none fails', async () => {
  const before = await currentVersion()
  const { id } = await api<RunRecord>(`/retraining/${name}/run`, 'POST')
  const ended = runUntil(id, isOver)
  const load = await openLoop(`${server.url}/fn/${name}`, items, {
    rate: 20,
    until: ended.catch(() => {}),
    random: Math.random,
  })
  const run = await ended
  assert.is(run.state, 'promoted', run.error?.message)
  assert.equal(load.failures, [])
  assert.is(load.failed, 0)
  assert.is(await currentVersion(), run.candidate)
  assert.is.not(run.candidate, before)
  const answered = await closedLoop(`${server.url}/fn/${name}`, items.slice(0, 8), 2)
  const { version } = await api<{ version: string }>(`/functions/${name}`)
  assert.equal(answered.versions, [version])
  assert.ok(load.versions.length <= 2)
})

test('a second run while one is active is refused', async () => {
  const { id } = await api<RunRecord>(`/retraining/${name}/run`, 'POST')
  const second = await fetch(`${server.url}/api/retraining/${name}/run`, { method: 'POST' })
  assert.is(second.status, 409)
  assert.is(((await second.json()) as { code: string }).code, 'retraining-conflict')
  await api(`/retraining/${name}/cancel`, 'POST')
  assert.is((await runUntil(id, isOver)).state, 'cancelled')
})

test('a rollback makes the version before current again, at once', async () => {
  const after = await currentVersion()
  const model = await api<ModelView>(`/models/${name}.orientation/rollback`, 'POST')
  assert.is.not(model.current, after)
  assert.is(model.current, model.base)
  assert.is((await closedLoop(`${server.url}/fn/${name}`, items.slice(0, 4), 2)).failed, 0)
  const again = await fetch(`${server.url}/api/models/${name}.orientation/rollback`, { method: 'POST' })
  assert.is(again.status, 409)
})

test('the command line asks the running server: retrain follows a run to its end, models lists and rolls back', async () => {
  const options = args.slice(2)
  const progress: string[] = []
  const run: RunRecord = JSON.parse(
    await runCommand(['retrain', name, '--json', ...options], line => progress.push(line)),
  )
  assert.is(run.state, 'promoted')
  assert.is(await currentVersion(), run.candidate)
  const shown = await runCommand(['models', '--rollback', `${name}.orientation`, ...options], () => {})
  assert.match(shown, new RegExp(`${run.parent}  current`))
  assert.is(await currentVersion(), run.parent)
  const listed = JSON.parse(await runCommand(['functions', '--json', ...options], () => {}))
  assert.is(listed.functions[0].state, 'ready')
})

test('without a server a run that cannot start says what is missing, and exits with 1', async () => {
  const alone = ['--data', join(folder, 'empty'), ...args.slice(4)]
  const message = await runCommand(['retrain', name, ...alone], () => {}).then(
    () => 'it ended well',
    error => error.message,
  )
  assert.match(message, /exit code 1/)
  assert.match(message, /too-few-samples/)
})

test('on SIGTERM a run in training is interrupted, and the next start says so', async () => {
  const { id } = await api<RunRecord>(`/retraining/${name}/run`, 'POST')
  await runUntil(id, run => run.state === 'training')
  assert.is(await server.stop(), 0)
  server = await start()
  assert.is((await view()).runs.find(run => run.id === id)?.state, 'interrupted')
})

test('a server that is killed while it promotes leaves exactly one current version, and it loads', async () => {
  for (const delayMs of [0, 5, 20, 60]) {
    const { versions } = await api<ModelView>(`/models/${name}.orientation`)
    const other = versions.find(version => version.state !== 'current' && version.kept)
    if (other === undefined) throw new Error('there is no other version to promote')
    const promoting = fetch(`${server.url}/api/models/${name}.orientation/promote`, {
      method: 'POST',
      body: JSON.stringify({ version: other.sha256 }),
    }).catch(() => undefined)
    await new Promise(resolve => setTimeout(resolve, delayMs))
    process.kill(server.pid, 'SIGKILL')
    await Promise.all([promoting, server.stop()])
    server = await start()
    const after = await api<ModelView>(`/models/${name}.orientation`)
    assert.is(after.versions.filter(version => version.state === 'current').length, 1)
    assert.is((await closedLoop(`${server.url}/fn/${name}`, items.slice(0, 4), 2)).failed, 0)
  }
})

test.run()
