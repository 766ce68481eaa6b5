/** A training from job to candidate: what is learned, from what, and how both versions do. Says what happens; decides nothing. */
import { readFile } from 'node:fs/promises'
import { isDeepStrictEqual } from 'node:util'
import { lastOperator } from '../autodiff/index.ts'
import type { CheckedRetraining } from '../core/definition-schema.ts'
import { CorunError } from '../core/errors.ts'
import { expectedLabel, targetsOf } from '../core/labels.ts'
import type { LabelledFile, TrainerEvent, TrainerJob } from '../core/trainer-messages.ts'
import { prepareImage } from '../images/prepare-image.ts'
import { readGraph, resizeHead, selectParameters } from '../onnx/index.ts'
import { writeDurably } from '../state/durable-file.ts'
import { augmented } from './augment.ts'
import type { Control } from './control.ts'
import { createDataset } from './dataset.ts'
import { findFitting } from './earlier-versions.ts'
import { leastValidation } from './early-stopping.ts'
import { type EvaluationOptions, evaluate } from './evaluate.ts'
import { type Contestant, judge } from './judge.ts'
import { type Learned, learn } from './learn.ts'
import { classWeights, smoothTargets } from './sample-weights.ts'
import { type Activation, createScorer } from './score.ts'

/** Decoded pictures that are kept between epochs: some 2,300 of 3 x 48 x 192. */
const cacheBytes = 256 * 2 ** 20
/** More say little more about an epoch, or about an earlier version, and cost as much as a step each. */
const mostPicturesToTry = 256

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
  const datasets = datasetsOf(job, recipe)
  const activation = activationOf(original, job)
  const options: EvaluationOptions = {
    job,
    dims,
    batchSize: recipe.batchSize,
    scorer: () => createScorer(recipe.loss, activation),
    control,
  }
  const { significance, maxSlowdown } = recipe.accept

  const fitting = await findFitting({ job, significance }, datasets.trial(), options)
  if (fitting === 'stopped') return { type: 'stopped' }
  let candidate: Contestant
  let learned: Omit<Learned, 'candidate'> = { losses: [], epochSeconds: [], bestEpoch: null }
  if (fitting !== undefined) candidate = fitting
  else {
    const validation = datasets.validation()
    const found = await learn({
      job,
      recipe,
      original,
      dims,
      pictures: datasets.teaching(),
      ...(validation.length < leastValidation
        ? {}
        : { validate: async model => (await evaluate(model, [validation], job.labels, options))?.[0] }),
      say,
      control,
    })
    if (found === undefined) return { type: 'stopped' }
    const { candidate: bytes, ...rest } = found
    await writeDurably(job.candidateFile, bytes)
    candidate = { file: job.candidateFile, labels: job.labels }
    learned = rest
  }

  await say({ type: 'evaluating' })
  const current = { file: job.model.file, labels: job.model.labels }
  const judgement = await judge(current, candidate, datasets.judging(), { ...options, maxSlowdown })
  if (judgement === undefined) return { type: 'stopped' }
  return {
    type: 'done',
    candidateFile: candidate.file,
    ...(fitting === undefined ? {} : { earlier: fitting.sha256 }),
    ...learned,
    // The kernel counts in KiB.
    peakMemoryBytes: process.resourceUsage().maxRSS * 1024,
    ...judgement,
  }
}

/** Pictures by their use; those that are used together stay decoded as far as memory is set aside for them. */
function datasetsOf(job: TrainerJob, recipe: CheckedRetraining) {
  const prepare = (file: string) => preparePicture(file, job)
  const read = (label: string) => readLabel(label, job, recipe)
  const plain = (files: readonly LabelledFile[], bytes: number) =>
    createDataset(files, { prepare, read, cacheBytes: bytes })
  return {
    teaching() {
      const pictures = createDataset([...job.training, ...job.replay], {
        prepare,
        read: label => smoothTargets(read(label), recipe.labelSmoothing, recipe.loss),
        weigh: classWeights(recipe.classWeights, job, job.labels, recipe.replay),
        cacheBytes,
      })
      const { augment, seed } = recipe
      return augment ? augmented(pictures, augment, { shape: job.image, seed }) : pictures
    },
    validation: () => plain(job.validation.slice(0, mostPicturesToTry), cacheBytes / 4),
    /** New samples that do not judge in the end. */
    trial: () =>
      plain(
        job.earlier?.length ? [...job.validation, ...job.training].slice(0, mostPicturesToTry) : [],
        cacheBytes / 4,
      ),
    // Both versions see the same pictures: decoded once.
    judging: () => ({
      heldOut: plain(job.heldOut, cacheBytes / 2),
      reference: plain(job.referenceHeldOut, cacheBytes / 2),
    }),
  }
}

/** A model that ends in an activation of the loss's own gives probabilities, another the scores before it. */
function activationOf(model: Uint8Array, { model: { outputName } }: TrainerJob): Activation {
  const last = lastOperator(readGraph(model), outputName)
  return last === 'Softmax' || last === 'Sigmoid' ? last : undefined
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
