/**
 * How parameters are fed to a training step and come back: large ones each as a tensor of its own, small ones
 * side by side in one. A network has hundreds of small tensors; one by one, their feeding, their optimizer
 * nodes and their outputs cost more than their arithmetic.
 */
import { createNode, int, type Node } from '../onnx/index.ts'
import type { Emitter, Value } from './emitter.ts'
import type { Operators } from './operators/index.ts'
import type { TrainableTensor } from './prepare.ts'
import { sizeOf } from './shape.ts'

/** Elements from which a parameter is a tensor of its own: copying it into a bundle would cost more than a node. */
const LARGE = 65_536

/** A tensor that goes round: fed as `input`, given back as `output`, float32 of shape `dims`. */
export interface Loop {
  input: string
  output: string
  dims: number[]
}

/** One or more parameters that travel together, and the optimizer's state for them: zeros at first. Running statistics have none. */
export interface Slot extends Loop {
  state: Loop[]
  /** The one among `state` that averages the parameters themselves, when that was asked for. */
  average?: Loop
}

export interface TrainedParameter {
  name: string
  dims: number[]
  role: TrainableTensor['role']
  /** Whether weight decay applies: to weights, not to biases and scales. */
  decay: boolean
  /** Which of the slots holds it, and from which element on, row-major. */
  slot: number
  offset: number
}

/** Parameters that share one tensor, and with it the optimizer's treatment. */
export interface Bundle {
  parameters: TrainableTensor[]
  decay: boolean
  /** False for running statistics, which follow the data instead of a gradient. */
  learned: boolean
  /** The parameter's own shape, or [total] for several. */
  dims: number[]
}

const kinds = [
  { decay: true, learned: true, roles: ['weight'] },
  { decay: false, learned: true, roles: ['bias', 'scale'] },
  { decay: false, learned: false, roles: ['statistic'] },
] as const

export function bundlesOf(parameters: readonly TrainableTensor[]): Bundle[] {
  return kinds.flatMap(({ decay, learned, roles }) => {
    const alike = parameters.filter(({ role }) => roles.some(each => each === role))
    const small = alike.filter(({ dims }) => sizeOf(dims) < LARGE)
    const large = alike.filter(({ dims }) => sizeOf(dims) >= LARGE)
    const groups = [...(small.length > 0 ? [small] : []), ...large.map(parameter => [parameter])]
    return groups.map(group => ({ parameters: group, decay, learned, dims: sharedDims(group) }))
  })
}

function sharedDims(parameters: readonly TrainableTensor[]): number[] {
  const [only, ...more] = parameters
  return only && more.length === 0
    ? [...only.dims]
    : [parameters.reduce((sum, { dims }) => sum + sizeOf(dims), 0)]
}

/** Where each parameter lies: its slot is the bundle's index. */
export function placed({ parameters, decay }: Bundle, slot: number): TrainedParameter[] {
  let offset = 0
  return parameters.map(({ name, dims, role }) => {
    const start = offset
    offset += sizeOf(dims)
    return { name, dims, role, decay, slot, offset: start }
  })
}

/** Takes a bundle's input apart under the parameters' own names. The nodes must come before all others. */
export function unpack({ parameters }: Bundle, input: Value, { declare }: Emitter, ops: Operators): Node[] {
  const [only, ...more] = parameters
  if (only && more.length === 0)
    return [createNode('Identity', [input.name], [only.name], {}, `${input.name}/alone`)]
  const counts = ops.integers(parameters.map(({ dims }) => sizeOf(dims)))
  const pieces = parameters.map(({ name, dims }) =>
    dims.length === 1 ? name : declare('train/piece', { dims: [sizeOf(dims)], type: input.type }).name,
  )
  const reshapes = parameters.flatMap(({ name, dims }, index) => {
    const [piece = ''] = pieces.slice(index)
    if (piece === name) return []
    return [createNode('Reshape', [piece, ops.integers(dims).name], [name], {}, `${input.name}/${index}`)]
  })
  return [createNode('Split', [input.name, counts.name], pieces, { axis: int(0) }), ...reshapes]
}

/** The gradients of a bundle's parameters in the bundle's own form. */
export function pack(
  { parameters, dims }: Bundle,
  gradients: ReadonlyMap<string, Value>,
  ops: Operators,
): Value {
  const pieces = parameters.flatMap(({ name }) => {
    const gradient = gradients.get(name)
    return gradient ? [ops.reshape(gradient, [sizeOf(gradient.dims)])] : []
  })
  return ops.reshape(ops.concat(pieces, 0), dims)
}
