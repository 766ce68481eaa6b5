/** The part of a training step that changes parameters: clipping, optimizer, running average; slot by slot. */
import type { Value } from './emitter.ts'
import type { Operators } from './operators/index.ts'
import { applyOptimizer, type Optimizer, stateNames } from './optimizer.ts'
import { range } from './shape.ts'
import type { Loop, Slot } from './slots.ts'

export interface UpdateOptions {
  optimizer: Optimizer
  /** Gradients whose joint Euclidean norm is larger are scaled down to it; default: none are. */
  clipNorm?: number
  /** Keeps an average of the weights beside them, of which this share stays in each step, such as 0.999; default: none. */
  averaging?: number
}

/** A slot's tensors on the way through an update. */
export interface SlotUpdate {
  parameter: Value
  gradient: Value
  decay: boolean
}

export interface Updates {
  slots: Slot[]
  /** What the graph must give: the slots' outputs, in no particular order. */
  outputs: Value[]
  /** float32 []: the gradients' joint norm before clipping; there when it is clipped. */
  gradientNorm?: Value
}

interface UpdateContext {
  ops: Operators
  addInput(stem: string, dims: readonly number[]): Value
  learningRate: Value
  step: Value
}

/** `index`: a number for the names of each slot's state. */
export function applyUpdates(
  updates: readonly (SlotUpdate & { index: number })[],
  { optimizer, clipNorm, averaging }: UpdateOptions,
  { ops, addInput, learningRate, step }: UpdateContext,
): Updates {
  const gradientNorm = clipNorm === undefined ? undefined : normOf(ops, updates)
  const outputs: Value[] = gradientNorm ? [gradientNorm] : []
  const loop = (input: Value, output: Value): Loop => {
    outputs.push(output)
    return { input: input.name, output: output.name, dims: [...input.dims] }
  }
  const slots = updates.map(({ parameter, gradient, decay, index }): Slot => {
    const state = stateNames(optimizer).map(name => addInput(`${name}/${index}`, parameter.dims))
    const update = applyOptimizer(ops, optimizer, {
      parameter,
      gradient: gradientNorm && clipNorm ? clipped(ops, gradient, gradientNorm, clipNorm) : gradient,
      state,
      learningRate,
      step,
      decay,
    })
    const average = averaging === undefined ? undefined : addInput(`average/${index}`, parameter.dims)
    const averaged = average && loop(average, follow(ops, average, update.parameter, step, averaging ?? 0))
    const own = state.flatMap((input, at) => (update.state[at] ? [loop(input, update.state[at])] : []))
    return {
      ...loop(parameter, update.parameter),
      state: averaged ? [...own, averaged] : own,
      ...(averaged ? { average: averaged } : {}),
    }
  })
  return { slots, outputs, ...(gradientNorm ? { gradientNorm } : {}) }
}

function normOf(ops: Operators, updates: readonly SlotUpdate[]): Value {
  const squares = updates.map(({ gradient }) =>
    ops.reduceSum(ops.mul(gradient, gradient), range(gradient.dims.length), false),
  )
  return ops.sqrt(squares.reduce((sum, square) => ops.add(sum, square)))
}

/** PyTorch's clip_grad_norm_, its 1e-6 included. */
function clipped(ops: Operators, gradient: Value, norm: Value, limit: number): Value {
  const factor = ops.div(ops.scalar(limit, norm), ops.add(norm, ops.scalar(1e-6, norm)))
  return ops.mul(gradient, ops.min(factor, ops.scalar(1, norm)))
}

/**
 * The exponential moving average with its bias towards the zeros that it starts from taken out as in Adam: with share
 * d, a <- a + (p - a) (1 - d) / (1 - d^step). The first step makes it p, so that it is meaningful at any time.
 */
function follow(ops: Operators, average: Value, parameter: Value, step: Value, share: number): Value {
  const missing = (steps: Value) => ops.sub(ops.scalar(1, step), ops.pow(ops.scalar(share, step), steps))
  const rate = ops.div(missing(ops.scalar(1, step)), missing(step)) // rounded alike: exactly 1 in the first step
  return ops.add(average, ops.mul(ops.sub(parameter, average), rate))
}
