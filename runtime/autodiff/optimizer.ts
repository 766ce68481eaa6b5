/**
 * Optimizers as graph nodes: old tensor, gradient and state in; new tensor and state out.
 * Steps agree with PyTorch's torch.optim.SGD, Adam and AdamW (their documentation's pseudocode, version 2), and with
 * Momentum and Adam of ONNX's domain ai.onnx.preview.training.
 */
import type { Value } from './emitter.ts'
import type { Operators } from './operators/index.ts'

export interface Sgd {
  kind: 'sgd'
  /** v <- momentum v + g; default 0.9. PyTorch's form: the learning rate is outside of v. */
  momentum?: number
  /** Step along g + momentum v instead of v; default false. */
  nesterov?: boolean
  /** g <- g + weightDecay p, for tensors that decay; default 0. */
  weightDecay?: number
}

export interface Adam {
  kind: 'adam'
  /** Default 0.9. */
  beta1?: number
  /** Default 0.999. */
  beta2?: number
  /** Added to the root of the second moment, outside of the root; default 1e-8. */
  epsilon?: number
  /** The root gets epsilon before its bias correction, as in ONNX's Adam, not after it, as in PyTorch's; default false. */
  epsilonUncorrected?: boolean
  /** For tensors that decay; default 0. */
  weightDecay?: number
  /** p <- p - learningRate weightDecay p before the step (AdamW) instead of g <- g + weightDecay p; default false. */
  decoupledDecay?: boolean
}

export type Optimizer = Sgd | Adam

export interface UpdateInputs {
  parameter: Value
  gradient: Value
  /** As many as stateNames gives, zeros before the first step. */
  state: readonly Value[]
  /** float32 [] */
  learningRate: Value
  /** float32 []: 1 in the first step. */
  step: Value
  /** Whether weightDecay applies. */
  decay: boolean
}

export interface Update {
  parameter: Value
  state: Value[]
}

/** One state tensor each, of the parameter's shape. */
export function stateNames(optimizer: Optimizer): string[] {
  if (optimizer.kind === 'adam') return ['moment1', 'moment2']
  return momentumOf(optimizer) === 0 ? [] : ['velocity']
}

export function applyOptimizer(ops: Operators, optimizer: Optimizer, inputs: UpdateInputs): Update {
  return optimizer.kind === 'adam' ? adam(ops, optimizer, inputs) : sgd(ops, optimizer, inputs)
}

const momentumOf = ({ momentum = 0.9 }: Sgd): number => momentum

function sgd(
  ops: Operators,
  optimizer: Sgd,
  { parameter, gradient, state, learningRate, decay }: UpdateInputs,
): Update {
  const momentum = momentumOf(optimizer)
  const g = decayed(ops, parameter, gradient, decay ? (optimizer.weightDecay ?? 0) : 0)
  const [velocity] = state
  if (!velocity) return { parameter: ops.sub(parameter, ops.mul(g, learningRate)), state: [] }
  const next = ops.add(ops.scale(velocity, momentum), g)
  const direction = optimizer.nesterov ? ops.add(g, ops.scale(next, momentum)) : next
  return { parameter: ops.sub(parameter, ops.mul(direction, learningRate)), state: [next] }
}

/**
 * Bias correction as in Kingma and Ba 2015, algorithm 1: moments divided by 1 - beta^step. With
 * c1 = 1 - beta1^t and c2 = 1 - beta2^t the step is p - (lr / c1) m / (sqrt(v) / sqrt(c2) + epsilon).
 */
function adam(
  ops: Operators,
  optimizer: Adam,
  { parameter, gradient, state, learningRate, step, decay }: UpdateInputs,
): Update {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, decoupledDecay = false } = optimizer
  const weightDecay = decay ? (optimizer.weightDecay ?? 0) : 0
  const [moment1, moment2] = state
  if (!moment1 || !moment2) throw new RangeError('Adam needs two state tensors')
  const g = decayed(ops, parameter, gradient, decoupledDecay ? 0 : weightDecay)
  const m = ops.add(ops.scale(moment1, beta1), ops.scale(g, 1 - beta1))
  const v = ops.add(ops.scale(moment2, beta2), ops.scale(ops.mul(g, g), 1 - beta2))
  const correction = (beta: number) => ops.sub(ops.scalar(1, step), ops.pow(ops.scalar(beta, step), step))
  const rate = ops.div(learningRate, correction(beta1))
  const shift = (root: Value) => ops.add(root, ops.scalar(epsilon, root))
  const corrected = (root: Value) => ops.div(root, ops.sqrt(correction(beta2)))
  const root = optimizer.epsilonUncorrected ? corrected(shift(ops.sqrt(v))) : shift(corrected(ops.sqrt(v)))
  const change = ops.mul(ops.div(m, root), rate)
  const shrunk =
    decoupledDecay && weightDecay !== 0
      ? ops.mul(parameter, ops.sub(ops.scalar(1, learningRate), ops.scale(learningRate, weightDecay)))
      : parameter
  return { parameter: ops.sub(shrunk, change), state: [m, v] }
}

function decayed(ops: Operators, parameter: Value, gradient: Value, weightDecay: number): Value {
  return weightDecay === 0 ? gradient : ops.add(gradient, ops.scale(parameter, weightDecay))
}
