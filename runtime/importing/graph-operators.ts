/** What each TensorFlow operator becomes. Names and attributes are those of TensorFlow's operator definitions. */
import { CorunError } from '../core/errors.ts'
import { int } from '../onnx/index.ts'
import {
  concat,
  expandDims,
  pad,
  type Reduction,
  reduce,
  reshape,
  resize,
  slice,
  split,
  squeeze,
  transpose,
} from './arrange.ts'
import { convolution, depthwise, type Padding, pool } from './convolution.ts'
import { batchNormalization, matrixProduct } from './dense.ts'
import {
  activate,
  binary,
  leakyRelu,
  limit,
  prelu,
  reciprocalRoot,
  softmax,
  squaredDifference,
  unary,
} from './elementwise.ts'
import type { NodeReader } from './graph-node.ts'
import type { Network } from './network.ts'
import { unsupported } from './unsupported.ts'
import { soleElement, type Value } from './value.ts'
import type { Weight } from './weights.ts'

type Convert = (net: Network, node: NodeReader) => Value | Value[]

const elementwise =
  (opType: string): Convert =>
  (net, { input }) =>
    binary(net, opType, input(0), input(1))
const mapped =
  (opType: string): Convert =>
  (net, { input }) =>
    unary(net, opType, input(0))
const activated =
  (name: string): Convert =>
  (net, { input }) =>
    activate(net, name, input(0))
const same: Convert = (_, { input }) => input(0)
const reduced =
  (opType: Reduction): Convert =>
  (net, node) =>
    reduce(net, opType, node.input(0), node.numbers(1), node.flag('keep_dims') || node.flag('keepdims'))

export const graphOperators: Record<string, Convert> = {
  Identity: same,
  StopGradient: same,
  PreventGradient: same,
  Snapshot: same,

  Conv2D: (net, node) => convolve(net, node, convolution),
  _FusedConv2D: (net, node) => convolve(net, node, convolution),
  DepthwiseConv2dNative: (net, node) => convolve(net, node, depthwise),
  FusedDepthwiseConv2dNative: (net, node) => convolve(net, node, depthwise),
  MaxPool: (net, node) => pooled(net, node, 'MaxPool'),
  AvgPool: (net, node) => pooled(net, node, 'AveragePool'),
  MatMul: (net, node) => product(net, node),
  _FusedMatMul: (net, node) => {
    const bias = node.strings('fused_ops')[0] === 'BiasAdd' ? node.input(2).constant : undefined
    return fused(net, node, product(net, node, 'transpose_a', 'transpose_b', bias), bias !== undefined)
  },
  BatchMatMul: (net, node) => product(net, node, 'adj_x', 'adj_y'),
  BatchMatMulV2: (net, node) => product(net, node, 'adj_x', 'adj_y'),
  FusedBatchNorm: normalized,
  FusedBatchNormV2: normalized,
  FusedBatchNormV3: normalized,

  BiasAdd: elementwise('Add'),
  Add: elementwise('Add'),
  AddV2: elementwise('Add'),
  AddN: (net, { inputs, input }) =>
    inputs.slice(1).reduce((sum, value) => binary(net, 'Add', sum, value), input(0)),
  Sub: elementwise('Sub'),
  Mul: elementwise('Mul'),
  Div: elementwise('Div'),
  RealDiv: elementwise('Div'),
  Pow: elementwise('Pow'),
  SquaredDifference: (net, { input }) => squaredDifference(net, input(0), input(1)),
  Minimum: (net, node) => limited(net, node, 'Min'),
  Maximum: (net, node) => limited(net, node, 'Max'),
  ClipByValue: (net, { input, numbers }) =>
    limit(net, input(0), numbers(1)[0] ?? -Infinity, numbers(2)[0] ?? Infinity),

  Abs: mapped('Abs'),
  Neg: mapped('Neg'),
  Exp: mapped('Exp'),
  Log: mapped('Log'),
  Sqrt: mapped('Sqrt'),
  Floor: mapped('Floor'),
  Ceil: mapped('Ceil'),
  Rsqrt: (net, { input }) => reciprocalRoot(net, input(0)),
  Square: (net, { input }) => binary(net, 'Mul', input(0), input(0)),
  Relu: activated('relu'),
  Relu6: activated('relu6'),
  Sigmoid: activated('sigmoid'),
  Tanh: activated('tanh'),
  Elu: activated('elu'),
  Selu: activated('selu'),
  Softplus: activated('softplus'),
  Softsign: activated('softsign'),
  LeakyRelu: (net, { input, real }) => leakyRelu(net, input(0), real('alpha', 0.2)),
  Prelu: (net, { input }) => prelu(net, input(0), input(1)),
  Softmax: (net, { input }) => softmax(net, input(0)),
  LogSoftmax: (net, { input }) => softmax(net, input(0), -1, 'LogSoftmax'),

  Mean: reduced('ReduceMean'),
  Sum: reduced('ReduceSum'),
  Max: reduced('ReduceMax'),
  Min: reduced('ReduceMin'),
  ArgMax: (net, { input, numbers }) => {
    const { shape } = input(0)
    const at = ((numbers(1)[0] ?? 0) + shape.length) % shape.length
    return net.emit('ArgMax', [net.use(input(0), 'asShaped')], {
      shape: shape.toSpliced(at, 1),
      type: 'int64',
      attributes: { axis: int(at), keepdims: int(0) },
    })
  },

  Reshape: (net, { input, numbers }) => reshape(net, input(0), numbers(1)),
  Squeeze: (net, { input, integers }) =>
    squeeze(net, input(0), integers('squeeze_dims').concat(integers('axis'))),
  ExpandDims: (net, { input, numbers }) => expandDims(net, input(0), numbers(1)[0] ?? 0),
  Transpose: (net, { input, numbers }) => transpose(net, input(0), numbers(1)),
  Pad: (net, { input, numbers }) => pad(net, input(0), pairs(numbers(1))),
  PadV2: (net, { input, numbers }) => pad(net, input(0), pairs(numbers(1)), { fill: numbers(2)[0] ?? 0 }),
  MirrorPad: (net, { input, numbers, string, node }) => {
    if (string('mode', 'REFLECT') !== 'REFLECT') throw unsupported([`${node.op} SYMMETRIC`])
    return pad(net, input(0), pairs(numbers(1)), { mode: 'reflect' })
  },
  ConcatV2: (net, { inputs, numbers }) => concat(net, inputs.slice(0, -1), numbers(-1)[0] ?? 0),
  Concat: (net, { inputs, numbers }) => concat(net, inputs.slice(1), numbers(0)[0] ?? 0),
  Pack: (net, { inputs, integer }) =>
    concat(
      net,
      inputs.map(value => expandDims(net, value, integer('axis', 0))),
      integer('axis', 0),
    ),
  Slice: (net, { input, numbers }) => {
    const starts = numbers(1)
    const ends = numbers(2).map((size, axis) =>
      size === -1 ? Number.MAX_SAFE_INTEGER : (starts[axis] ?? 0) + size,
    )
    return slice(net, input(0), { starts, ends, steps: starts.map(() => 1) })
  },
  StridedSlice: stridedSlice,
  Split: (net, node) => {
    const axis = node.numbers(0)[0] ?? 0
    return evenly(net, node, node.input(1), axis, node.integer('num_split', 1))
  },
  SplitV: (net, { input, numbers }) => split(net, input(0), numbers(2)[0] ?? 0, numbers(1)),
  Unpack: (net, node) => {
    const axis = node.integer('axis', 0)
    return evenly(net, node, node.input(0), axis, node.integer('num', 1)).map(part =>
      squeeze(net, part, [axis]),
    )
  },

  ResizeBilinear: (net, node) => resized(net, node, 'linear'),
  ResizeNearestNeighbor: (net, node) => resized(net, node, 'nearest'),
}

type Convolve = typeof convolution

function convolve(net: Network, node: NodeReader, convolve: Convolve): Value {
  // Only the bias becomes part of the convolution: what follows is fused by the engine.
  const fusedBias = node.strings('fused_ops')[0] === 'BiasAdd'
  const result = convolve(
    net,
    node.input(0),
    node.constant(1),
    fusedBias ? flat(node.constant(2)) : undefined,
    {
      strides: pixels(node, 'strides'),
      padding: paddingOf(node),
      dilations: pixels(node, 'dilations'),
    },
  )
  return fused(net, node, result, fusedBias)
}

const flat = (weight: Weight): Weight => ({ ...weight, dims: [weight.data.length] })

/** The operators that grappler has fused behind a product: a bias, then an activation. */
function fused(net: Network, node: NodeReader, value: Value, biasIsIn = false): Value {
  let operand = 2
  return node.strings('fused_ops').reduce((result, operator) => {
    if (operator === 'BiasAdd') {
      const bias = node.input(operand++)
      return biasIsIn ? result : binary(net, 'Add', result, bias)
    }
    if (operator === 'Prelu') return prelu(net, result, node.input(operand++))
    if (operator === 'LeakyRelu') return leakyRelu(net, result, node.real('leakyrelu_alpha', 0.2))
    return activate(net, operator.toLowerCase(), result)
  }, value)
}

function product(
  net: Network,
  node: NodeReader,
  left = 'transpose_a',
  right = 'transpose_b',
  bias?: Weight,
): Value {
  return matrixProduct(net, node.input(0), node.input(1), {
    transposeLeft: node.flag(left),
    transposeRight: node.flag(right),
    bias,
  })
}

function pooled(net: Network, node: NodeReader, kind: 'MaxPool' | 'AveragePool'): Value {
  return pool(net, kind, node.input(0), pixels(node, 'ksize'), pixels(node, 'strides'), paddingOf(node))
}

function normalized(net: Network, node: NodeReader): Value {
  needChannelsLast(node)
  return batchNormalization(net, node.input(0), {
    scale: node.constant(1),
    offset: node.constant(2),
    mean: node.constant(3),
    variance: node.constant(4),
    epsilon: node.real('epsilon', 1e-4),
  })
}

/** Against a number, it is a limit; against a tensor, an operator of two operands. */
function limited(net: Network, { input, node }: NodeReader, opType: 'Min' | 'Max'): Value {
  const [left, right] = [input(0), input(1)]
  const bound = soleElement(right) ?? soleElement(left)
  const value = soleElement(right) === undefined ? right : left
  if (bound === undefined || value.type !== 'float32') return binary(net, opType, left, right)
  return node.op === 'Minimum' ? limit(net, value, -Infinity, bound) : limit(net, value, bound, Infinity)
}

function resized(net: Network, node: NodeReader, mode: 'linear' | 'nearest'): Value {
  const [height = 1, width = 1] = node.numbers(1)
  return resize(net, node.input(0), [height, width], {
    mode,
    alignCorners: node.flag('align_corners'),
    halfPixel: node.flag('half_pixel_centers'),
  })
}

function evenly(net: Network, { node }: NodeReader, value: Value, axis: number, count: number): Value[] {
  const size = value.shape.at(axis)
  if (size == null) throw new CorunError('invalid-model', `${node.op} "${node.name}" of an unknown size`)
  return split(net, value, axis, Array<number>(count).fill(size / count))
}

/** Bits of the masks are axes; a new axis and an ellipsis are refused. */
function stridedSlice(net: Network, { node, input, numbers, integer }: NodeReader): Value {
  if (integer('ellipsis_mask', 0) !== 0 || integer('new_axis_mask', 0) !== 0) {
    throw unsupported([`${node.op} with an ellipsis or a new axis`])
  }
  const marked = (mask: string, axis: number) => ((integer(mask, 0) >> axis) & 1) === 1
  const [begin, end, steps] = [numbers(1), numbers(2), numbers(3)]
  if (steps.some(step => step < 1)) throw unsupported([`${node.op} backward`])
  const shrunk = begin.flatMap((_, axis) => (marked('shrink_axis_mask', axis) ? [axis] : []))
  const last = Number.MAX_SAFE_INTEGER
  const rest = input(0).shape.slice(begin.length)
  const ends = end.map((at, axis) => {
    if (!shrunk.includes(axis)) return marked('end_mask', axis) ? last : at
    return begin[axis] === -1 ? last : (begin[axis] ?? 0) + 1
  })
  const part = slice(net, input(0), {
    starts: [...begin.map((at, axis) => (marked('begin_mask', axis) ? 0 : at)), ...rest.map(() => 0)],
    ends: [...ends, ...rest.map(() => last)],
    steps: [...steps, ...rest.map(() => 1)],
  })
  return shrunk.length === 0 ? part : squeeze(net, part, shrunk)
}

/** Rows and columns of a list [N, H, W, C]. */
function pixels(node: NodeReader, name: string): [number, number] {
  needChannelsLast(node)
  const [, height = 1, width = 1] = node.integers(name)
  return [height, width]
}

function paddingOf(node: NodeReader): Padding {
  const padding = node.string('padding', 'VALID')
  if (padding !== 'EXPLICIT') return padding === 'SAME' ? 'same' : 'valid'
  const [, , top = 0, bottom = 0, left = 0, right = 0] = node.integers('explicit_paddings')
  return { top, bottom, left, right }
}

function needChannelsLast({ node, string }: NodeReader): void {
  const format = string('data_format', 'NHWC')
  if (format !== 'NHWC') throw unsupported([`${node.op} with data_format ${format}`])
}

function pairs(numbers: readonly number[]): [number, number][] {
  return Array.from({ length: numbers.length / 2 }, (_, axis) => [
    numbers[2 * axis] ?? 0,
    numbers[2 * axis + 1] ?? 0,
  ])
}
