/** The runner of a step, whole or in parts, and how many pictures of one this process holds at once. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { AccumulatingStep, TrainingStep } from '../autodiff/index.ts'
import type { CheckedRetraining } from '../core/definition-schema.ts'
import type { TrainerJob } from '../core/trainer-messages.ts'
import { residentBytes } from '../device/memory.ts'
import { elementCount, type Graph, readGraph } from '../onnx/index.ts'
import { createAccumulatingRunner } from './accumulating-runner.ts'
import { chooseMicroBatch } from './choose-micro-batch.ts'
import { type FrozenPart, makeStep } from './make-step.ts'
import { sessionOptions } from './session-options.ts'
import { createStepRunner, type RunnerState, type StepRunner } from './step-runner.ts'
import { slotData } from './weights.ts'

type SessionJob = Pick<TrainerJob, 'provider' | 'threads'>

/** `graph` holds the weights that training starts from, and is changed. `dims`: of what a step takes for a picture. */
export function openRunner(
  step: TrainingStep | AccumulatingStep,
  graph: Graph,
  dims: readonly number[],
  job: SessionJob,
  from?: RunnerState,
): Promise<StepRunner> {
  const weights = slotData(step, graph)
  const options = sessionOptions(job)
  return 'accumulate' in step
    ? createAccumulatingRunner(step, weights, dims, options, from)
    : createStepRunner(step, weights, dims, options, from)
}

/**
 * Pictures that go through the model at once: the whole batch, or as many as the job's bounds allow.
 * Throws `not-trainable` when memory does not hold one.
 */
export async function microBatchFor(
  model: Uint8Array,
  job: Pick<TrainerJob, 'model' | 'provider' | 'threads' | 'memoryBytes' | 'microBatch'>,
  recipe: CheckedRetraining,
  dims: readonly number[],
): Promise<number> {
  const batchSize = Math.min(recipe.batchSize, job.microBatch ?? recipe.batchSize)
  const { memoryBytes } = job
  if (memoryBytes === undefined) return batchSize
  const measure = async (pictures: number) => {
    const { step, frozen } = await makeStep(model, job, recipe, dims, pictures)
    const frozenBytes = frozen ? await measureFrozen(frozen, pictures, dims, job) : 0
    const stepDims = frozen?.dims.slice(1) ?? dims
    const runner = await openRunner(step, readGraph(model), stepDims, job)
    try {
      await runner.run(emptyBatch(pictures, elementCount([...stepDims]), step.classes), 0)
      // The engine keeps what a step took for the next one.
      return Math.max(frozenBytes, residentBytes(process.pid))
    } finally {
      await runner.close()
    }
  }
  return chooseMicroBatch({ batchSize, memoryBytes, measure })
}

async function measureFrozen(
  { model, input }: FrozenPart,
  pictures: number,
  dims: readonly number[],
  job: SessionJob,
): Promise<number> {
  const session = await InferenceSession.create(model, sessionOptions(job))
  try {
    const shape = [pictures, ...dims]
    await session.run({ [input]: new Tensor('float32', new Float32Array(elementCount(shape)), shape) })
    return residentBytes(process.pid)
  } finally {
    await session.release()
  }
}

function emptyBatch(pictures: number, length: number, classes: number) {
  return {
    images: new Float32Array(pictures * length),
    targets: new Float32Array(pictures * classes),
    weights: new Float32Array(pictures).fill(1),
    count: pictures,
  }
}
