/** From a model's bytes to the model of a training step: pure on both sides of the engine's simplification. */
import { splitAtFrozenBorder } from '../autodiff/frozen-border.ts'
import {
  type AccumulatingStep,
  buildAccumulatingStep,
  buildTrainingStep,
  prepareForTraining,
  type TrainingStep,
  type TrainingStepOptions,
} from '../autodiff/index.ts'
import type { CheckedRetraining } from '../core/definition-schema.ts'
import { CorunError } from '../core/errors.ts'
import type { Trainable } from '../core/retraining-definition.ts'
import type { TrainerJob } from '../core/trainer-messages.ts'
import { type Graph, parametersOf, readGraph, selectParameters, writeGraph } from '../onnx/index.ts'
import { findChannelBlock } from './channel-block.ts'
import { simplify } from './simplify.ts'

/** The frozen part of a model, up to where training begins. */
export interface FrozenPart {
  /** ONNX bytes: the model's input in, features out. */
  model: Uint8Array
  input: string
  output: string
  /** Shape of the features, batch first. */
  dims: number[]
}

export interface PlannedStep<Step = TrainingStep | AccumulatingStep> {
  /** Its `inputs.images` takes features where there is a frozen part, pictures where there is none. */
  step: Step
  frozen?: FrozenPart
}

type StepRecipe = Pick<
  CheckedRetraining,
  'trainable' | 'batchSize' | 'optimizer' | 'loss' | 'clipNorm' | 'averaging' | 'batchNormalization'
> &
  Partial<Pick<CheckedRetraining, 'augment'>>

/**
 * @param dims channels, height and width of a picture
 * @param microBatch pictures at once; the step accumulates gradients where that is less than the batch
 * @throws CorunError `invalid-model`, `not-trainable`
 */
export async function makeStep(
  bytes: Uint8Array,
  { model, provider }: Pick<TrainerJob, 'model' | 'provider'>,
  recipe: StepRecipe,
  dims: readonly number[],
): Promise<PlannedStep<TrainingStep>>
export async function makeStep(
  bytes: Uint8Array,
  { model, provider }: Pick<TrainerJob, 'model' | 'provider'>,
  recipe: StepRecipe,
  dims: readonly number[],
  microBatch: number,
): Promise<PlannedStep>
export async function makeStep(
  bytes: Uint8Array,
  { model, provider }: Pick<TrainerJob, 'model' | 'provider'>,
  recipe: StepRecipe,
  dims: readonly number[],
  microBatch = recipe.batchSize,
): Promise<PlannedStep> {
  const graph = readGraph(bytes)
  const names = new Set(chosenParameters(graph, recipe.trainable))
  const prepared = prepareForTraining(graph, {
    output: model.outputName,
    inputShape: [microBatch, ...dims],
    trainable: name => names.has(name),
    batchNormalization: recipe.batchNormalization,
  })
  const simplified = { ...prepared, graph: await simplify(prepared.graph) }
  const optimizer =
    recipe.optimizer.kind === 'adam' ? { ...recipe.optimizer, decoupledDecay: true } : recipe.optimizer
  const { loss, clipNorm, averaging } = recipe
  const options: TrainingStepOptions = {
    optimizer,
    loss,
    ...(clipNorm === undefined ? {} : { clipNorm }),
    ...(averaging === undefined ? {} : { averaging }),
    ...(await layoutFor(provider)),
  }
  const build = microBatch < recipe.batchSize ? buildAccumulatingStep : buildTrainingStep
  // A picture that is drawn anew in every epoch has no features that could be kept.
  const border = recipe.augment === undefined ? splitAtFrozenBorder(simplified) : undefined
  if (border === undefined) return { step: build(simplified, options) }
  return {
    step: build(border.rest, options),
    frozen: {
      model: writeGraph(border.features),
      input: simplified.input,
      output: border.rest.input,
      dims: border.dims,
    },
  }
}

/** Which operators a step may have: the CPU's own where it is the CPU's, else those that every provider runs. */
async function layoutFor(provider: string): Promise<Pick<TrainingStepOptions, 'portable' | 'channelBlock'>> {
  if (provider !== 'cpu') return { portable: true }
  const channelBlock = await findChannelBlock()
  return channelBlock === undefined ? {} : { channelBlock }
}

function chosenParameters(graph: Graph, trainable: Trainable): string[] {
  const chosen = selectParameters(graph, trainable)
  if (chosen.length > 0) return chosen
  const names = parametersOf(graph).map(({ name }) => name)
  const shown = names.length > 8 ? `${names.slice(0, 8).join(', ')}, ... (${names.length})` : names.join(', ')
  throw new CorunError('not-trainable', `trainable: no parameter is chosen; the model has ${shown || 'none'}`)
}
