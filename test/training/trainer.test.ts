import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { builtEntry } from '../../runtime/core/package-root.ts'
import { adam } from '../../runtime/core/retraining-definition.ts'
import type { LabelledFile, TrainerJob } from '../../runtime/core/trainer-messages.ts'
import { prepareImage } from '../../runtime/images/prepare-image.ts'
import { floatsOf, inlineConstants, inspectModel, readGraph, writeGraph } from '../../runtime/onnx/index.ts'
import { realModel } from './real-model.ts'
import { type JobOptions, startTrainer, writeJob } from './trainer-job.ts'

const test = suite('training/trainer')
const folders: string[] = []

async function prepare(options?: JobOptions) {
  const made = await writeJob(options)
  folders.push(made.folder)
  return made
}
test.after(async () => {
  for (const folder of folders) await rm(folder, { recursive: true, force: true })
})

test('a real run learns, measures both versions as the plain engine does, and changes weights alone', async () => {
  const { jobFile, job } = await prepare()
  const { exit, event } = await startTrainer(jobFile).last()
  assert.equal([exit.code, exit.signal], [0, null], exit.stderrTail)
  if (event?.type !== 'done') return assert.unreachable(JSON.stringify(event))

  assert.is(event.losses.length, 3)
  assert.ok((event.losses[2] ?? 1) < (event.losses[0] ?? 0) / 2, `losses ${event.losses}`)
  assert.is(event.after.heldOut.count, 20)
  assert.ok((event.after.heldOut.accuracy ?? 0) > 0.9, `held out ${event.after.heldOut.accuracy}`)
  assert.ok(event.peakMemoryBytes > 50e6)

  for (const [file, said] of [
    [realModel, event.before],
    [event.candidateFile, event.after],
  ] as const) {
    assert.is(await accuracy(file, job), said.heldOut.accuracy, file)
  }

  const [before, after] = [await parts(realModel), await parts(event.candidateFile)]
  assert.equal(after.structure, before.structure)
  const changed = [...after.weights].filter(([name, data]) => !data.equals(before.weights.get(name) ?? data))
  assert.ok(changed.length > 100, `${changed.length} tensors changed`)
  const statistics = after.structure.nodes
    .filter(({ opType }) => opType === 'BatchNormalization')
    .flatMap(({ inputs }) => inputs.slice(3))
  assert.is(statistics.length, 2 * 35)
  assert.equal(
    changed.filter(([name]) => statistics.includes(name)),
    [],
  )
})

test('a trainer that asks makes no step without an answer', async () => {
  const { jobFile } = await prepare({ job: { asks: true } })
  const trainer = startTrainer(jobFile)
  const count = (type: string) => trainer.events.filter(event => event.type === type).length
  const steps = () =>
    trainer.events.flatMap(event => (event.type === 'progress' ? [event.step] : [])).at(-1) ?? 0
  for (;;) {
    const asked = await Promise.race([trainer.next('ask').then(() => true), trainer.ended.then(() => false)])
    if (!asked) break
    assert.ok(steps() < count('ask'), 'a step was made for each answer at the most')
    trainer.send({ type: 'go' })
  }
  assert.is(trainer.events.at(-1)?.type, 'done')
  assert.ok(steps() > 3 && count('ask') > steps(), 'batches of the evaluation ask too')
})

/** Held-out accuracy one picture at a time, with no part of the trainer. */
async function accuracy(file: string, { heldOut, image }: Awaited<ReturnType<typeof writeJob>>['job']) {
  const session = await InferenceSession.create(file)
  let right = 0
  for (const { file: picture, label } of heldOut) {
    const { data, dims } = await prepareImage(await readFile(picture), image)
    const results = await session.run({ x: new Tensor('float32', data, dims) })
    const scores = Array.from(results['softmax_0.tmp_0']?.data ?? [], Number)
    if ((scores[0] ?? 0) >= (scores[1] ?? 0) === (label === '0')) right += 1
  }
  await session.release()
  return right / heldOut.length
}

/** A model as its weights by name and all the rest. */
async function parts(file: string) {
  const graph = readGraph(await readFile(file))
  inlineConstants(graph)
  const weights = new Map<string, Buffer>()
  for (const [name, tensor] of graph.initializers) {
    if (tensor.type === 'float32')
      weights.set(name, Buffer.from(Uint8Array.from(new Uint8Array(floatsOf(tensor).slice().buffer))))
  }
  const { nodes, inputs, outputs } = graph
  return { weights, structure: { nodes, inputs, outputs, names: [...graph.initializers.keys()] } }
}

test('a pause holds the steps, a resume lets them go on, and a stop ends the process in good order', async () => {
  const { jobFile, job } = await prepare({ definition: { epochs: 10_000 } })
  const trainer = startTrainer(jobFile)
  await trainer.next('progress')
  trainer.send({ type: 'pause' })
  // The step in flight ends and may be told; then the process has nothing to do but to wait.
  await idle(trainer.pid ?? 0)
  const said = trainer.events.length
  await idle(trainer.pid ?? 0)
  assert.is(trainer.events.length, said)
  trainer.send({ type: 'resume' })
  await trainer.next('progress')
  trainer.send({ type: 'stop' })
  const { exit, event } = await trainer.last()
  assert.equal([exit.code, exit.signal, event?.type], [0, null, 'stopped'])
  assert.is(await readFile(job.candidateFile).catch(() => undefined), undefined)
})

/** Resolves when a process has used no processor time for a while (user + system ticks, proc(5)). */
async function idle(pid: number): Promise<void> {
  const ticks = async () => {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return Number(fields[11]) + Number(fields[12])
  }
  for (let before = -10, now = await ticks(); now - before > 1; now = await ticks()) {
    before = now
    await new Promise(resolve => setTimeout(resolve, 300))
  }
}

test('a trainer whose parent is gone ends by itself between steps', async () => {
  const { jobFile } = await prepare({ definition: { epochs: 10_000 } })
  const child = spawn(process.execPath, [builtEntry('trainer'), jobFile], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  for (let type = ''; type !== 'progress'; ) {
    const [message] = await once(child, 'message')
    type = message.type
  }
  child.disconnect()
  const [code, signal] = await once(child, 'exit')
  assert.equal([code, signal], [0, null])
})

test('the load that a profile measures beside runs until it is stopped, and judges nothing', async () => {
  const { jobFile, folder } = await prepare({
    job: { loop: true, heldOut: [], referenceHeldOut: [], candidateFile: '' },
  })
  const trainer = startTrainer(jobFile)
  const steps = () =>
    trainer.events.reduce((most, event) => (event.type === 'progress' ? Math.max(most, event.step) : most), 0)
  // Three epochs of six steps would be the end of a run.
  while (steps() < 20) await trainer.next('progress')
  trainer.send({ type: 'stop' })
  const { exit, event } = await trainer.last()
  assert.equal([exit.code, event?.type], [0, 'stopped'])
  assert.equal(
    (await readdir(folder)).filter(name => name.endsWith('.onnx')),
    [],
  )
})

test('a bound of pictures at once is kept, and a run learns the same in parts', async () => {
  const { jobFile } = await prepare({ job: { microBatch: 3, memoryBytes: 8 * 2 ** 30 } })
  const trainer = startTrainer(jobFile)
  const { event } = await trainer.last()
  const ready = trainer.events.find(({ type }) => type === 'ready')
  assert.is(ready?.type === 'ready' && ready.microBatch, 3)
  if (event?.type !== 'done') return assert.unreachable(JSON.stringify(event))
  assert.ok((event.after.heldOut.accuracy ?? 0) > 0.9, `held out ${event.after.heldOut.accuracy}`)
})

/** The real model up to its softmax, as models for other losses end. */
async function withoutSoftmax(folder: string) {
  const graph = readGraph(await readFile(realModel))
  const softmax = graph.nodes.find(({ opType }) => opType === 'Softmax')
  const outputName = softmax?.inputs[0] ?? ''
  graph.nodes = graph.nodes.filter(node => node !== softmax)
  graph.outputs = [{ name: outputName, type: 'float32', dims: undefined }]
  const file = join(folder, 'scores.onnx')
  await writeFile(file, writeGraph(graph))
  return { file, inputName: 'x', outputName, labels: ['0', '180'] }
}

for (const [what, loss, labels, least] of [
  [
    'several labels a picture: learned, and judged by every decision',
    'binary-cross-entropy',
    { 0: '0', 180: '180' },
    0.9,
  ],
  [
    'numbers: learned, and judged by how much of their variation is met',
    'mean-squared-error',
    { 0: '1,0', 180: '0,1' },
    0.7,
  ],
] as const) {
  test(what, async () => {
    const { jobFile, job, folder } = await prepare({
      definition: { loss, epochs: 6 },
      job: { replay: [], referenceHeldOut: [] },
    })
    const relabelled = (files: typeof job.training) =>
      files.map(({ file, label }) => ({ file, label: label === '0' ? labels[0] : labels[180] }))
    const model = await withoutSoftmax(folder)
    const changed = { model, training: relabelled(job.training), heldOut: relabelled(job.heldOut) }
    await writeFile(jobFile, JSON.stringify({ ...job, ...changed }))
    const { event } = await startTrainer(jobFile).last()
    if (event?.type !== 'done') return assert.unreachable(JSON.stringify(event))
    assert.ok((event.after.heldOut.accuracy ?? 0) > least, `held out ${event.after.heldOut.accuracy}`)
    assert.is(event.after.heldOut.count, 20)
  })
}

test('by hand, without a parent to talk to, events are lines of standard output', async () => {
  const { jobFile } = await prepare({ definition: { epochs: 1 }, job: { heldOut: [] } })
  const { stdout } = await promisify(execFile)(process.execPath, [builtEntry('trainer'), jobFile])
  const types = stdout
    .trim()
    .split('\n')
    .map(line => JSON.parse(line).type)
  assert.is(types[0], 'ready')
  assert.is(types.at(-1), 'done')
  assert.is(JSON.parse(stdout.trim().split('\n').at(-1) ?? '').after.heldOut.accuracy, null)
})

for (const [what, options, code, text] of [
  [
    'a learning rate that lets the loss diverge',
    {
      definition: {
        optimizer: { kind: 'sgd', learningRate: 1e20, momentum: 0, nesterov: false, weightDecay: 0 },
      },
    },
    'trainer-failed',
    /loss is (NaN|Infinity).*smaller learning rate/,
  ],
  [
    'a picture that is gone',
    { job: { training: [{ file: '/nowhere.png', label: '0' }] } },
    'trainer-failed',
    /nowhere\.png/,
  ],
  [
    'a budget of memory that does not hold one picture',
    { job: { memoryBytes: 2 ** 20 } },
    'not-trainable',
    /with one picture takes \d+ MiB of memory, 1 MiB are left/,
  ],
  [
    'a label that the model does not know',
    { job: { training: [{ file: '/nowhere.png', label: '90' }] } },
    'trainer-failed',
    /label "90" does not fit; expected one of 0, 180/,
  ],
  ['a definition that does not fit', { definition: { epochs: 0 } }, 'invalid-definition', /epochs/],
  [
    'a model that is none',
    {
      job: { model: { file: builtEntry('trainer'), inputName: 'x', outputName: 'y', labels: ['0', '180'] } },
    },
    'invalid-model',
    /not an ONNX model/,
  ],
] as const) {
  test(`${what} ends the run with a clear message`, async () => {
    const { jobFile } = await prepare(structuredClone(options) as JobOptions)
    const { exit, event } = await startTrainer(jobFile).last()
    assert.is(exit.code, 1)
    if (event?.type !== 'failed') return assert.unreachable(JSON.stringify(event))
    assert.is(event.error.code, code, event.error.message)
    assert.match(event.error.message, text)
  })
}

test('a job that is damaged fails by name, not by a crash', async () => {
  const { jobFile } = await prepare()
  await writeFile(jobFile, '{"runId":')
  const { event } = await startTrainer(jobFile).last()
  assert.is(event?.type, 'failed')
})

test('a new class is learned: the candidate has a score for it, and the version before never names it', async () => {
  const { jobFile, job } = await prepare({
    definition: { epochs: 4, optimizer: adam({ learningRate: 2e-3 }) },
  })
  const renamed = (files: LabelledFile[]) =>
    files.map(({ file, label }) => ({ file, label: label === '180' ? 'turned' : label }))
  const labels = ['0', 'turned', '180']
  const changed: TrainerJob = {
    ...job,
    labels,
    training: renamed(job.training),
    replay: [],
    heldOut: renamed(job.heldOut),
    referenceHeldOut: [],
  }
  await writeFile(jobFile, JSON.stringify(changed))
  const { event, exit } = await startTrainer(jobFile).last()
  if (event?.type !== 'done') return assert.unreachable(`${JSON.stringify(event)} ${exit.stderrTail}`)
  const zeros = changed.heldOut.filter(({ label }) => label === '0').length
  assert.ok((event.before.heldOut.accuracy ?? 1) <= zeros / changed.heldOut.length)
  assert.ok((event.after.heldOut.accuracy ?? 0) > 0.9, `${event.after.heldOut.accuracy}`)
  assert.equal(inspectModel(await readFile(event.candidateFile)).outputs[0]?.dims?.at(-1), 3)
})

test.run()
