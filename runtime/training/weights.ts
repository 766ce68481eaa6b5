/** Trained parameters between a model file and the tensors of a training step. */
import type { AccumulatingStep, TrainingStep } from '../autodiff/index.ts'
import { CorunError } from '../core/errors.ts'
import { elementCount, floatsOf, type Graph, inlineConstants, untieIdentities } from '../onnx/index.ts'

/** The step's parameter tensors, in the order of its slots, with the weights of `graph`, which is changed. */
export function slotData(step: TrainingStep | AccumulatingStep, graph: Graph): Float32Array[] {
  const { parameters } = step
  const slots = 'accumulate' in step ? [...step.apply.slots, ...step.accumulate.statistics] : step.slots
  inlineConstants(graph)
  untieIdentities(graph)
  const tensors = slots.map(({ dims }) => new Float32Array(elementCount(dims)))
  for (const { name, slot, offset } of parameters) {
    const tensor = graph.initializers.get(name)
    if (tensor === undefined) throw new CorunError('not-trainable', `the model has no tensor "${name}"`)
    tensors[slot]?.set(floatsOf(tensor), offset)
  }
  return tensors
}

/** The way back: weights by parameter name. */
export function weightsOf(
  { parameters }: Pick<TrainingStep, 'parameters'>,
  tensors: readonly Float32Array[],
): Map<string, Float32Array> {
  return new Map(
    parameters.map(({ name, dims, slot, offset }) => {
      const data = tensors[slot]?.slice(offset, offset + elementCount(dims))
      return [name, data ?? new Float32Array()]
    }),
  )
}
