/**
 * Builds the model of one training step: forward, loss, backward and optimizer in standard ONNX operators.
 * Running it once is one step; what it gives for parameters and state is fed to the next run.
 */
import { writeGraph } from '../onnx/index.ts'
import { type BundlePass, buildBackwardPass, finishGraph } from './backward-pass.ts'
import type { Loss } from './loss.ts'
import type { PreparedGraph } from './prepare.ts'
import { placed, type Slot, type TrainedParameter } from './slots.ts'
import { applyUpdates, type UpdateOptions } from './update.ts'

export interface TrainingStep {
  /** ONNX bytes. */
  model: Uint8Array
  parameters: TrainedParameter[]
  slots: Slot[]
  inputs: {
    /** The model's own input, of the shape it was prepared for. */
    images: string
    /** float32 [N, K] */
    targets: string
    /** float32 [N] */
    weights: string
    /** float32 [] */
    learningRate: string
    /** float32 []: 1 in the first step, then counting. */
    step: string
  }
  outputs: {
    /** float32 [] */
    loss: string
    /** float32 [N, K]: before the step changed the parameters. */
    logits: string
    /** float32 []: the norm of all gradients before clipping; with `clipNorm` only. */
    gradientNorm?: string
  }
  batchSize: number
  classes: number
}

export interface TrainingStepOptions extends UpdateOptions {
  /** Default: softmax cross-entropy. */
  loss?: Loss
  /** Only operators that every execution provider runs: set it for all but the CPU; default false. */
  portable?: boolean
  /** Channels in a block of the CPU's own layout (useBlockedLayout); standard operators alone by default. */
  channelBlock?: number
}

/**
 * @param prepared what prepareForTraining gave, its graph simplified by an engine and with shapes (withShapes)
 * @throws CorunError `not-trainable` naming the operators that have no gradient rule
 */
export function buildTrainingStep(prepared: PreparedGraph, options: TrainingStepOptions): TrainingStep {
  const pass = buildBackwardPass(prepared, options)
  const { graph, ops, addInput, bundles, loss, scores } = pass
  const learningRate = addInput('learning_rate', [])
  const step = addInput('step', [])
  const learned = bundles.flatMap(({ learned, input, result, decay }, index) =>
    learned ? [{ parameter: input, gradient: result, decay, index }] : [],
  )
  const { slots, outputs, gradientNorm } = applyUpdates(learned, options, {
    ops,
    addInput,
    learningRate,
    step,
  })
  const statistics = bundles.filter(bundle => !bundle.learned)
  finishGraph(graph, [loss, scores, ...outputs, ...statistics.map(({ result }) => result)], prepared, options)
  return {
    model: writeGraph(graph),
    parameters: bundles.flatMap(placed),
    slots: [...slots, ...statistics.map(statisticSlot)], // bundles come in this order too
    inputs: {
      images: prepared.input,
      targets: pass.targets.name,
      weights: pass.weights.name,
      learningRate: learningRate.name,
      step: step.name,
    },
    outputs: {
      loss: loss.name,
      logits: scores.name,
      ...(gradientNorm ? { gradientNorm: gradientNorm.name } : {}),
    },
    batchSize: pass.batchSize,
    classes: pass.classes,
  }
}

export function statisticSlot({ input, result, dims }: BundlePass): Slot {
  return { input: input.name, output: result.name, dims, state: [] }
}
