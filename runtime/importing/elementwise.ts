/** Operators that take each element by itself: arithmetic with broadcasting, limits, activations. */
import { float, floatTensor, int } from '../onnx/index.ts'
import type { Network } from './network.ts'
import { unsupported } from './unsupported.ts'
import { axisIn, type Dim, type Layout, permute, scalar, type Value } from './value.ts'

/** ONNX operators of two operands that broadcast. Constants and values of rank 4 meet with channels first. */
export function binary(net: Network, opType: string, left: Value, right: Value, type = left.type): Value {
  const shape = broadcast(left.shape, right.shape)
  const operands = [left, right]
  const layout = operands.every(fitsChannelsFirst) && operands.some(isChannelsFirst) ? 'first' : 'asShaped'
  const names = operands.map(value => operand(net, value, layout))
  return net.emit(opType, names, { shape, layout, type })
}

const isChannelsFirst = (value: Value) => value.layout === 'first'
const fitsChannelsFirst = ({ constant, shape }: Value) => constant !== undefined || shape.length === 4

/** A constant of fewer axes gets those that broadcasting would give it, so that its channels can come first. */
function operand(net: Network, value: Value, layout: Layout): string {
  const { constant, shape } = value
  if (layout === 'asShaped' || constant === undefined || shape.length === 0) return net.use(value, layout)
  const dims = [...Array<number>(4 - shape.length).fill(1), ...constant.dims]
  return net.weight(permute({ ...constant, dims }, [0, 3, 1, 2]))
}

function broadcast(left: readonly Dim[], right: readonly Dim[]): Dim[] {
  const rank = Math.max(left.length, right.length)
  const padded = (shape: readonly Dim[]) => [...Array<Dim>(rank - shape.length).fill(1), ...shape]
  const others = padded(right)
  return padded(left).map((dim, axis) => {
    const other = others[axis] ?? null
    if (dim === 1) return other
    return other === 1 || other === null ? dim : (dim ?? other)
  })
}

export function unary(net: Network, opType: string, value: Value, attributes = {}): Value {
  const { shape, layout, type } = value
  return net.emit(opType, [net.use(value, layout)], { shape, layout, type, attributes })
}

/** From `low` to `high`, as one node however many limits follow each other. */
export function limit(net: Network, value: Value, low: number, high: number): Value {
  const { limited } = value
  if (limited !== undefined && low <= limited.high && high >= limited.low) {
    return limit(net, limited.source, Math.max(low, limited.low), Math.min(high, limited.high))
  }
  const bound = (limit: number) => (Number.isFinite(limit) ? net.tensor(floatTensor([], [limit])) : '')
  const { shape, layout } = value
  const name = net.use(value, layout)
  const result =
    low === 0 && high === Number.POSITIVE_INFINITY
      ? net.emit('Relu', [name], { shape, layout })
      : net.emit('Clip', [name, bound(low), bound(high)], { shape, layout })
  return { ...result, limited: { source: value, low, high } }
}

export function leakyRelu(net: Network, value: Value, slope: number): Value {
  return unary(net, 'LeakyRelu', value, { alpha: float(slope) })
}

export function prelu(net: Network, value: Value, slope: Value): Value {
  const { shape, layout } = value
  return net.emit('PRelu', [net.use(value, layout), operand(net, slope, layout)], { shape, layout })
}

export function softmax(net: Network, value: Value, axis = -1, opType = 'Softmax'): Value {
  const last = axis < 0 ? axis + value.shape.length : axis
  return unary(net, opType, value, { axis: int(axisIn(value.layout, last)) })
}

type Activate = (net: Network, value: Value) => Value

/** Keras's names (tfjs-layers/src/activations.ts) and those of TensorFlow's fused operators, in small letters. */
const activations: Record<string, Activate> = {
  linear: (_, value) => value,
  relu: (net, value) => limit(net, value, 0, Number.POSITIVE_INFINITY),
  relu6: (net, value) => limit(net, value, 0, 6),
  sigmoid: (net, value) => unary(net, 'Sigmoid', value),
  tanh: (net, value) => unary(net, 'Tanh', value),
  softmax: (net, value) => softmax(net, value),
  log_softmax: (net, value) => softmax(net, value, -1, 'LogSoftmax'),
  softplus: (net, value) => unary(net, 'Softplus', value),
  softsign: (net, value) => unary(net, 'Softsign', value),
  elu: (net, value) => unary(net, 'Elu', value, { alpha: float(1) }),
  selu: (net, value) => unary(net, 'Selu', value),
  hard_sigmoid: (net, value) => unary(net, 'HardSigmoid', value, { alpha: float(0.2), beta: float(0.5) }),
  swish: (net, value) => binary(net, 'Mul', value, unary(net, 'Sigmoid', value)),
  mish: (net, value) => binary(net, 'Mul', value, unary(net, 'Tanh', unary(net, 'Softplus', value))),
}
activations.hardsigmoid = activations.hard_sigmoid as Activate // defined above
activations.silu = activations.swish as Activate

/** @throws CorunError `unsupported-operator` */
export function activate(net: Network, name: string, value: Value): Value {
  const known = Object.hasOwn(activations, name) ? activations[name] : undefined
  if (known === undefined) throw unsupported([`activation ${name}`])
  return known(net, value)
}

export const squaredDifference = (net: Network, left: Value, right: Value): Value => {
  const difference = binary(net, 'Sub', left, right)
  return binary(net, 'Mul', difference, difference)
}

export const reciprocalRoot = (net: Network, value: Value): Value =>
  binary(net, 'Div', scalar(1), unary(net, 'Sqrt', value), 'float32')
