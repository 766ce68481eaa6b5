/** A training from job to candidate: data, steps, evaluation of both versions. Says what happens; decides nothing. */
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { lastOperator } from '../autodiff/index.ts'
import type { CheckedRetraining } from '../core/definition-schema.ts'
import { CorunError } from '../core/errors.ts'
import { expectedLabel, targetsOf } from '../core/labels.ts'
import type { Evaluation, LabelledFile, TrainerEvent, TrainerJob } from '../core/messages.ts'
import { prepareImage } from '../images/prepare-image.ts'
import { readGraph, replaceWeights, resizeHead, selectParameters } from '../onnx/index.ts'
import { writeDurably } from '../state/durable-file.ts'
import type { Control } from './control.ts'
import { createDataset } from './dataset.ts'
import { type EpochShape, stepsPerEpoch } from './epoch-plan.ts'
import { evaluate } from './evaluate.ts'
import { cacheFeatures } from './feature-cache.ts'
import { makeStep } from './make-step.ts'
import { microBatchFor, openRunner } from './open-runner.ts'
import { createProgress } from './progress.ts'
import { runEpochs } from './run-epochs.ts'
import { createScorer } from './score.ts'
import { sessionOptions } from './session-options.ts'
import { weightsOf } from './weights.ts'

/** Decoded pictures that are kept between epochs: some 2,300 of 3 x 48 x 192. */
const cacheBytes = 256 * 2 ** 20
/** Of reports for people; a loop is measured by its steps, so it tells every one. */
const progressIntervalMs = 250

export interface TrainContext {
  say(event: TrainerEvent): Promise<void>
  control: Control
}

export async function train(
  job: TrainerJob,
  definition: CheckedRetraining,
  { say, control }: TrainContext,
): Promise<TrainerEvent> {
  const { width, height, channels } = job.image
  const dims = [channels === 'gray' ? 1 : 3, height, width]
  const { original, recipe } = await startOf(job, definition)
  const microBatch = await microBatchFor(original, job, recipe, dims)
  const { step, frozen } = await makeStep(original, job, recipe, dims, microBatch)
  const datasetOf = (files: readonly LabelledFile[], bytes: number) =>
    createDataset(files, {
      prepare: file => preparePicture(file, job),
      read: label => readLabel(label, job, recipe),
      cacheBytes: bytes,
    })
  const pictures = datasetOf([...job.training, ...job.replay], cacheBytes)
  const shape: EpochShape = {
    samples: job.training.length,
    replayPool: job.replay.length,
    replay: recipe.replay,
    batchSize: recipe.batchSize,
  }
  const count = step.parameters.reduce((sum, parameter) => sum + sizeOf(parameter.dims), 0)
  await say({ type: 'ready', parameters: count, stepsPerEpoch: stepsPerEpoch(shape), microBatch })

  const features =
    frozen &&
    (await cacheFeatures(pictures, frozen, {
      file: `${job.candidateFile}.features`,
      pictureDims: dims,
      session: sessionOptions(job),
      control,
    }))
  if (frozen !== undefined && features === undefined) return { type: 'stopped' }
  const stepDims = frozen?.dims.slice(1) ?? dims
  const runner = await openRunner(step, readGraph(original), stepDims, job)
  const progress = createProgress(say, {
    intervalMs: job.loop ? 0 : progressIntervalMs,
    now: () => performance.now(),
  })
  let trained: Map<string, Float32Array>
  let epochSeconds: number[]
  try {
    const epochs = await runEpochs({
      runner,
      dataset: features?.dataset ?? pictures,
      shape,
      recipe,
      progress,
      control,
      step,
      dims: stepDims,
      loop: job.loop,
    })
    if (epochs === undefined) return { type: 'stopped' }
    epochSeconds = epochs
    trained = weightsOf(step, await runner.parameters())
  } finally {
    await runner.close()
    await features?.close()
  }
  await writeDurably(job.candidateFile, replaceWeights(original, trained))

  await say({ type: 'evaluating' })
  // Both versions see the same pictures: decoded once.
  const judges = [datasetOf(job.heldOut, cacheBytes / 2), datasetOf(job.referenceHeldOut, cacheBytes / 2)]
  // A model that ends in a sigmoid gives probabilities, another the scores before it.
  const threshold = lastOperator(readGraph(original), job.model.outputName) === 'Sigmoid' ? 0.5 : 0
  const scorer = () => createScorer(recipe.loss, threshold)
  const options = { job, dims, batchSize: recipe.batchSize, scorer, control }
  const before = measured(await evaluate(job.model.file, judges, job.model.labels, options))
  const after = before && measured(await evaluate(job.candidateFile, judges, job.labels, options))
  if (before === undefined || after === undefined) return { type: 'stopped' }
  return {
    type: 'done',
    candidateFile: job.candidateFile,
    losses: progress.losses,
    epochSeconds,
    // The kernel counts in KiB.
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    before,
    after,
  }
}

async function preparePicture(file: string, { image }: TrainerJob): Promise<Float32Array> {
  try {
    return (await prepareImage(await readFile(file), image)).data
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause
    throw new CorunError('trainer-failed', `picture ${file} cannot be used: ${why}`, { cause })
  }
}

/**
 * The model that training starts from. Where the job's classes are not the model's it gets a last layer for them, which
 * trains even where a predicate leaves it out.
 */
async function startOf(
  { model, labels }: TrainerJob,
  recipe: CheckedRetraining,
): Promise<{ original: Uint8Array; recipe: CheckedRetraining }> {
  const bytes = await readFile(model.file)
  if (isDeepStrictEqual(labels, model.labels)) return { original: bytes, recipe }
  const kept = labels.map(label => {
    const place = model.labels.indexOf(label)
    return place < 0 ? undefined : place
  })
  const original = resizeHead(bytes, kept, recipe.seed)
  const { trainable } = recipe
  if (typeof trainable !== 'function') return { original, recipe }
  const head = new Set(selectParameters(readGraph(original), 'head'))
  return { original, recipe: { ...recipe, trainable: name => head.has(name) || trainable(name) } }
}

function readLabel(label: string, { labels }: TrainerJob, { loss }: CheckedRetraining): Float32Array {
  const targets = targetsOf(label, loss, labels)
  if (targets) return targets
  throw new CorunError(
    'trainer-failed',
    `label "${label}" does not fit; expected ${expectedLabel(loss, labels)}`,
  )
}

const sizeOf = (dims: readonly number[]) => dims.reduce((product, dim) => product * dim, 1)

function measured(evaluations: Evaluation[] | undefined) {
  const [heldOut, reference] = evaluations ?? []
  return heldOut && reference ? { heldOut, reference } : undefined
}
