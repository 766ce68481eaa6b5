/**
 * Learning proper: from the model that training starts from to the weights of the candidate. Goes on at a checkpoint of the
 * same training where there is one. What the candidate is worth is told by judge.ts.
 */
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { CheckedRetraining } from '../core/definition-schema.ts'
import type { TrainerEvent, TrainerJob } from '../core/trainer-messages.ts'
import { elementCount, readGraph, replaceWeights } from '../onnx/index.ts'
import {
  type Checkpoint,
  type Position,
  readCheckpoint,
  type Validation,
  writeCheckpoint,
} from './checkpoint.ts'
import type { Control } from './control.ts'
import type { Dataset } from './dataset.ts'
import { isBest, isHopeless } from './early-stopping.ts'
import { type EpochShape, stepsPerEpoch } from './epoch-plan.ts'
import { cacheFeatures } from './feature-cache.ts'
import { makeStep } from './make-step.ts'
import { microBatchFor, openRunner } from './open-runner.ts'
import { createProgress } from './progress.ts'
import { runEpochs } from './run-epochs.ts'
import type { Score } from './score.ts'
import { sessionOptions } from './session-options.ts'
import { weightsOf } from './weights.ts'

/** Of reports for people; a loop is measured by its steps, so it tells every one. */
const progressIntervalMs = 250

export interface LearnOptions {
  job: TrainerJob
  recipe: CheckedRetraining
  /** ONNX bytes of the model that training starts from. */
  original: Uint8Array
  /** Channels, height and width of a picture. */
  dims: readonly number[]
  /** Samples, then reference pictures. */
  pictures: Dataset
  /** How a model does on the validation samples; left out where there are too few. Undefined when it was stopped. */
  validate?(model: Uint8Array): Promise<Score | undefined>
  say(event: TrainerEvent): Promise<void>
  control: Control
}

export interface Learned {
  /** ONNX bytes. */
  candidate: Uint8Array
  /** Mean training loss of each epoch. */
  losses: number[]
  epochSeconds: number[]
  /** Whose weights the candidate has, from 1; null for the last one's because nothing told them apart. */
  bestEpoch: number | null
}

/** Undefined when it was stopped. */
export async function learn(options: LearnOptions): Promise<Learned | undefined> {
  const { job, recipe, original, dims, pictures, validate, say, control } = options
  const identity = identityOf(options)
  const file = job.checkpointFolder && join(job.checkpointFolder, 'checkpoint')
  const found = file === undefined ? undefined : await readCheckpoint(file)
  const from = found?.identity === identity ? found : undefined
  const microBatch = await microBatchFor(original, within(job, from?.microBatch), recipe, dims)
  const { step, frozen } = await makeStep(original, job, recipe, dims, microBatch)
  const shape: EpochShape = {
    samples: job.training.length,
    replayPool: job.replay.length,
    replay: recipe.replay,
    batchSize: recipe.batchSize,
  }
  await say({
    type: 'ready',
    parameters: step.parameters.reduce((sum, parameter) => sum + elementCount(parameter.dims), 0),
    stepsPerEpoch: stepsPerEpoch(shape),
    microBatch,
    ...(from ? { resumedAt: from.next.step } : {}),
  })
  const features =
    frozen &&
    (await cacheFeatures(pictures, frozen, {
      ...(job.checkpointFolder === undefined
        ? { file: `${job.candidateFile}.features` }
        : { file: join(job.checkpointFolder, 'features'), identity }),
      pictureDims: dims,
      session: sessionOptions(job),
      control,
    }))
  if (frozen !== undefined && features === undefined) return undefined
  const stepDims = frozen?.dims.slice(1) ?? dims
  const runner = await openRunner(step, readGraph(original), stepDims, job, from?.runner)
  const progress = createProgress(say, {
    intervalMs: job.loop ? 0 : progressIntervalMs,
    now: () => performance.now(),
    from: from?.progress,
  })
  const validation: Checkpoint['validation'] = from?.validation ?? []
  let best = from?.best
  const isOver = (epoch: number) =>
    epoch >= recipe.epochs || isHopeless(best, epoch, validate ? recipe.patience : 0)

  const tell = (epoch: number) =>
    say({
      type: 'epoch',
      epoch,
      epochs: recipe.epochs,
      loss: progress.losses[epoch - 1] ?? Number.NaN,
      seconds: progress.epochSeconds[epoch - 1] ?? 0,
      validation: validation[epoch - 1] ?? null,
    })
  const judgeEpoch = async (epoch: number): Promise<boolean | undefined> => {
    if (job.loop) return true
    if (validate !== undefined) {
      const parameters = await runner.parameters()
      const score = await validate(replaceWeights(original, weightsOf(step, parameters)))
      if (score === undefined) return undefined
      const measured: Validation = {
        loss: score.loss ?? Number.NaN,
        accuracy: score.accuracy ?? Number.NaN,
        count: score.count,
      }
      validation[epoch - 1] = measured
      if (isBest(best, measured.loss)) {
        best = { epoch, loss: measured.loss, parameters: parameters.map(tensor => tensor.slice()) }
      }
    }
    await tell(epoch)
    return !isOver(epoch)
  }
  const keep = async (next: Position, stopped: boolean) => {
    if (file === undefined) return
    const due = next.step % recipe.checkpointSteps === 0 || (next.index === 0 && isOver(next.epoch - 1))
    if (!due && !stopped) return
    await writeCheckpoint(file, {
      identity,
      microBatch,
      next,
      progress: progress.state(),
      validation,
      best,
      runner: await runner.state(),
    })
    if (!stopped) await say({ type: 'checkpoint', step: next.step })
  }

  try {
    const start: Position = from?.next ?? { epoch: 1, index: 0, step: 0 }
    for (let epoch = 1; epoch < start.epoch; epoch += 1) await tell(epoch)
    const rest = { shape, recipe, progress, control, step, dims: stepDims, loop: job.loop, from: start }
    const learned =
      (start.index === 0 && start.epoch > 1 && isOver(start.epoch - 1)) ||
      (await runEpochs({
        ...rest,
        runner,
        dataset: features?.dataset ?? pictures,
        onStep: keep,
        onEpoch: judgeEpoch,
      }))
    if (!learned) return undefined
    const weights = weightsOf(step, best?.parameters ?? (await runner.parameters()))
    return {
      candidate: replaceWeights(original, weights),
      losses: progress.losses,
      epochSeconds: progress.epochSeconds,
      bestEpoch: best?.epoch ?? null,
    }
  } finally {
    await runner.close()
    await features?.close()
  }
}

/** A training that goes on takes no more pictures at once than before: what it took then is known to fit. */
function within(job: TrainerJob, microBatch: number | undefined): TrainerJob {
  if (microBatch === undefined) return job
  return { ...job, microBatch: Math.min(microBatch, job.microBatch ?? microBatch) }
}

/** All that decides what is learned, and nothing else. */
function identityOf({ job, recipe, original, dims, validate }: LearnOptions): string {
  const { training, replay, validation, labels, image, provider } = job
  const pictures = { training, replay, validation: validate ? validation : [] }
  const facts = { pictures, labels, image, provider, dims, recipe, trainable: String(recipe.trainable) }
  return createHash('sha256').update(original).update(JSON.stringify(facts)).digest('hex')
}
