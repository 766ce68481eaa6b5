// Writes what functions/scene brings: the pictures that it must not forget, and the last layer, trained from nothing by
// Corun's own trainer: `npm run build && node --import tsx scripts/pictures/scene/make-function.ts`.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../../runtime/core/package-root.ts'
import type { LabelledFile, TrainerJob } from '../../../runtime/core/trainer-messages.ts'
import {
  createNode,
  floatsOf,
  floatTensor,
  type Graph,
  headOf,
  parametersOf,
  readGraph,
  writeGraph,
} from '../../../runtime/onnx/index.ts'
import { buildModule } from '../../../runtime/registry/build.ts'
import { trainedModel } from '../../../runtime/retraining/prepare-job.ts'
import { openTarget } from '../../bench/learning-target.ts'
import { train } from '../../bench/learning-trial.ts'
import { makeSceneSet, type SceneSetOptions } from './make-set.ts'
import { openGallery } from './panorama.ts'
import { scenes } from './places.ts'

type SetOf = Omit<SceneSetOptions, 'gallery'>

const features = 1280
/** Set 1 is the reference; it is among what the layer is trained on. */
const reference: SetOf = { count: 288, seed: 1, sector: 'training' }
const more: SetOf = { count: 540, seed: 5, sector: 'training' }
const validation: SetOf = { count: 180, seed: 6, sector: 'validation' }
const test: SetOf = { count: 360, seed: 7, sector: 'test' }

const gallery = openGallery()
const folder = join(packageRoot, 'functions/scene')
const headFile = join(folder, 'head.onnx')
const scratch = await mkdtemp(join(tmpdir(), 'corun-scene-'))
try {
  await rm(join(folder, 'reference'), { recursive: true, force: true })
  const training = [
    ...(await write(reference, join(folder, 'reference'))),
    ...(await write(more, join(scratch, 'more'))),
  ]
  const nothing = {
    weights: new Float32Array(features * scenes.length),
    bias: new Float32Array(scenes.length),
  }
  await writeFile(headFile, writeGraph(lastLayer(nothing)))
  const job = await jobFor(training)
  const { after, cleanAfter } = await train(job, scratch)
  await writeFile(headFile, writeGraph(lastLayer(await learnedHead(job))))
  console.log(
    `of unseen directions ${after.toFixed(3)} are right, of validation pictures ${cleanAfter.toFixed(3)}`,
  )
} finally {
  await rm(scratch, { recursive: true, force: true })
}

async function jobFor(training: LabelledFile[]): Promise<TrainerJob> {
  const { name, deployment, retraining } = await openTarget('scene', scratch)
  const model = trainedModel({ name, deployment, retraining })
  const recipe = await buildModule(
    join(packageRoot, 'scripts/pictures/scene/first-layer.ts'),
    scratch,
    'first',
  )
  const { input } = deployment.description
  if (input.kind !== 'image') throw new TypeError('the function takes no pictures')
  return {
    runId: 'first',
    function: name,
    bundle: recipe.file,
    model: {
      file: model.file,
      inputName: model.inputs[0]?.name ?? '',
      outputName: model.outputs[0]?.name ?? '',
      labels: model.labels,
    },
    labels: model.labels,
    image: input,
    training,
    replay: [],
    validation: [],
    heldOut: await write(test, join(scratch, 'test')),
    referenceHeldOut: await write(validation, join(scratch, 'validation')),
    candidateFile: join(scratch, 'candidate.onnx'),
    provider: 'cpu',
    threads: 2,
    loop: false,
  }
}

/** A set as files, a folder a label. */
async function write(set: SetOf, into: string): Promise<LabelledFile[]> {
  for (const label of scenes) await mkdir(join(into, label), { recursive: true })
  const photographs = await makeSceneSet({ ...set, gallery })
  return Promise.all(
    photographs.map(async ({ image, label, place }, index) => {
      const file = join(into, label, `${place}-${String(index).padStart(3, '0')}.jpg`)
      await writeFile(file, image)
      return { file, label }
    }),
  )
}

interface Head {
  /** float32 [features, scenes] */
  weights: Float32Array
  /** float32 [scenes] */
  bias: Float32Array
}

async function learnedHead({ candidateFile }: TrainerJob): Promise<Head> {
  const graph = readGraph(await readFile(candidateFile))
  const [weights, bias] = headOf(parametersOf(graph)).map(({ name }) => graph.initializers.get(name))
  if (weights === undefined || bias === undefined) throw new Error('the candidate has no last layer')
  return { weights: floatsOf(weights), bias: floatsOf(bias) }
}

function lastLayer({ weights, bias }: Head): Graph {
  return {
    name: 'scene',
    inputs: [{ name: 'features', type: 'float32', dims: ['N', features] }],
    outputs: [{ name: 'scores', type: 'float32', dims: ['N', scenes.length] }],
    nodes: [createNode('Gemm', ['features', 'scene.weight', 'scene.bias'], ['scores'])],
    initializers: new Map([
      ['scene.weight', floatTensor([features, scenes.length], weights)],
      ['scene.bias', floatTensor([scenes.length], bias)],
    ]),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
}
