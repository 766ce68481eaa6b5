/** Operators that move elements or gather them: shapes, axes, padding, concatenation, slices, resizing, reduction. */
import { CorunError } from '../core/errors.ts'
import { floatTensor, int, int64Tensor, ints, text } from '../onnx/index.ts'
import { globalPool } from './convolution.ts'
import type { Network } from './network.ts'
import {
  axisIn,
  channelsFirstDims,
  constantOf,
  type Dim,
  noPads,
  orderIsSame,
  permute,
  type Value,
} from './value.ts'

const product = (dims: readonly Dim[]): Dim =>
  dims.reduce<Dim>((total, dim) => (total === null || dim === null ? null : total * dim), 1)

const sameDims = (left: readonly Dim[], right: readonly Dim[]) =>
  left.length === right.length && left.every((dim, axis) => dim === right[axis])

/** -1 in `wanted` is what is left. The batch stays free where the rest of the elements stays together. */
export function reshape(net: Network, value: Value, wanted: readonly number[]): Value {
  if (value.constant !== undefined) {
    const size = value.constant.data.length
    const rest = wanted.reduce((total, dim) => (dim === -1 ? total : total * dim), 1)
    const dims = wanted.map(dim => (dim === -1 ? size / rest : dim))
    return constantOf({ ...value.constant, dims })
  }
  const [first, ...inner] = wanted
  const before = product(value.shape.slice(1))
  const known = product(inner.filter(dim => dim !== -1))
  const open = inner.includes(-1)
  const keepsBatch =
    before !== null &&
    known !== null &&
    first !== undefined &&
    (first === -1 || first === value.shape[0] || (first === 1 && value.shape[0] === null)) &&
    (open ? first !== -1 && before % known === 0 : before === known)
  const shape: Dim[] = keepsBatch
    ? [value.shape[0] ?? null, ...inner.map(dim => (dim === -1 ? before / known : dim))]
    : closed(wanted, product(value.shape))
  if (sameDims(shape, value.shape)) return value
  const from = orderIsSame(value.shape) && value.shape.length === 4 ? value.layout : 'asShaped'
  const layout = shape.length === 4 && orderIsSame(shape) ? 'first' : 'asShaped'
  const [, ...rest] = layout === 'first' ? channelsFirstDims(shape) : shape
  const target = keepsBatch ? [0, ...rest] : layout === 'first' ? channelsFirstDims(wanted) : wanted
  return net.emit('Reshape', [net.use(value, from), net.tensor(int64Tensor(target.map(dim => dim ?? -1)))], {
    shape,
    layout,
    type: value.type,
  })
}

function closed(wanted: readonly number[], size: Dim): Dim[] {
  const rest = wanted.reduce((total, dim) => (dim === -1 ? total : total * dim), 1)
  return wanted.map(dim => (dim === -1 ? (size === null ? null : size / rest) : dim))
}

export function flatten(net: Network, value: Value): Value {
  const rest = product(value.shape.slice(1))
  if (rest === null) throw shapeUnknown(value, 'Flatten')
  return reshape(net, value, [-1, rest])
}

export function squeeze(net: Network, value: Value, axes: readonly number[]): Value {
  const rank = value.shape.length
  const gone =
    axes.length === 0 ? axesOf(value.shape, dim => dim === 1) : axes.map(axis => (axis + rank) % rank)
  return moveAxes(
    net,
    'Squeeze',
    value,
    gone,
    value.shape.filter((_, axis) => !gone.includes(axis)),
  )
}

export function expandDims(net: Network, value: Value, axis: number): Value {
  const rank = value.shape.length + 1
  const at = (axis + rank) % rank
  return moveAxes(net, 'Unsqueeze', value, [at], value.shape.toSpliced(at, 0, 1))
}

const axesOf = (shape: readonly Dim[], is: (dim: Dim) => boolean) =>
  shape.flatMap((dim, axis) => (is(dim) ? [axis] : []))

function moveAxes(
  net: Network,
  opType: 'Squeeze' | 'Unsqueeze',
  value: Value,
  axes: readonly number[],
  shape: Dim[],
): Value {
  const { constant } = value
  if (constant !== undefined) return constantOf({ ...constant, dims: shape.map(dim => dim ?? 1) })
  return net.emit(opType, [net.use(value, 'asShaped'), net.tensor(int64Tensor(axes))], {
    shape,
    type: value.type,
  })
}

/** Where the order is that of ONNX's layout, nothing moves: the value is only looked at in another way. */
export function transpose(net: Network, value: Value, perm: readonly number[]): Value {
  const { constant, layout, type } = value
  if (constant !== undefined) return constantOf(permute(constant, perm))
  const shape = perm.map(axis => value.shape[axis] ?? null)
  const is = (order: readonly number[]) => sameDims(perm, order)
  if (is(perm.map((_, axis) => axis))) return value
  if (layout === 'first' && is([0, 3, 1, 2])) return { name: value.name, shape, type, layout: 'asShaped' }
  if (layout === 'asShaped' && is([0, 2, 3, 1])) return { name: value.name, shape, type, layout: 'first' }
  return net.emit('Transpose', [net.use(value, 'asShaped')], {
    shape,
    type,
    attributes: { perm: ints(perm) },
  })
}

/** `amounts`: before and after, an axis. */
export function pad(
  net: Network,
  value: Value,
  amounts: readonly (readonly [number, number])[],
  { mode = 'constant', fill = 0 }: { mode?: string; fill?: number } = {},
): Value {
  const { layout } = value
  const shape = value.shape.map((dim, axis) => {
    const [before, after] = amounts[axis] ?? [0, 0]
    return dim === null ? null : dim + before + after
  })
  const arranged = layout === 'first' ? channelsFirstDims(amounts) : amounts
  const pads = [...arranged.map(([before]) => before), ...arranged.map(([, after]) => after)]
  const inputs = [net.use(value, layout), net.tensor(int64Tensor(pads))]
  if (fill !== 0) inputs.push(net.tensor(floatTensor([], [fill])))
  const padded = net.emit('Pad', inputs, { shape, layout, attributes: { mode: text(mode) } })
  const [batch, rows = [0, 0], columns = [0, 0], channels] = amounts
  const spatial =
    amounts.length === 4 &&
    [batch, channels].every(pair => pair?.[0] === 0 && pair[1] === 0) &&
    [...rows, ...columns].every(amount => amount >= 0)
  if (!spatial || mode !== 'constant' || fill !== 0) return padded
  const pair = { top: rows[0], bottom: rows[1], left: columns[0], right: columns[1] }
  return { ...padded, padded: { source: value, pads: { ...noPads, ...pair } } }
}

export function concat(net: Network, values: readonly Value[], axis: number): Value {
  const [first] = values
  if (first === undefined) throw new CorunError('invalid-model', 'a concatenation of nothing')
  const rank = first.shape.length
  const at = (axis + rank) % rank
  const layout = values.some(value => value.layout === 'first') ? 'first' : 'asShaped'
  const shape = first.shape.with(
    at,
    values.reduce<Dim>(
      (total, { shape }) => (total === null || shape[at] == null ? null : total + shape[at]),
      0,
    ),
  )
  return net.emit(
    'Concat',
    values.map(value => net.use(value, layout)),
    { shape, layout, type: first.type, attributes: { axis: int(axisIn(layout, at)) } },
  )
}

export interface SliceSpec {
  starts: number[]
  /** May be beyond the end. */
  ends: number[]
  steps: number[]
}

/** One entry an axis of the shape, all positive. */
export function slice(net: Network, value: Value, { starts, ends, steps }: SliceSpec): Value {
  const { layout, type } = value
  const shape = value.shape.map((dim, axis) => {
    if (dim === null) return null
    const [start, end] = [starts[axis] ?? 0, ends[axis] ?? dim].map(at =>
      Math.min(at < 0 ? at + dim : at, dim),
    )
    return Math.max(0, Math.ceil(((end ?? 0) - (start ?? 0)) / (steps[axis] ?? 1)))
  })
  const axes = value.shape.map((_, axis) => axisIn(layout, axis))
  const lists = [starts, ends, axes, steps].map(list => net.tensor(int64Tensor(list)))
  return net.emit('Slice', [net.use(value, layout), ...lists], { shape, layout, type })
}

export function split(net: Network, value: Value, axis: number, sizes: readonly number[]): Value[] {
  const { layout, type } = value
  const at = (axis + value.shape.length) % value.shape.length
  return net.emitSeveral(
    'Split',
    [net.use(value, layout), net.tensor(int64Tensor(sizes))],
    sizes.map(size => ({
      shape: value.shape.with(at, size),
      layout,
      type,
      attributes: { axis: int(axisIn(layout, at)) },
    })),
  )
}

export interface ResizeOptions {
  mode: 'linear' | 'nearest'
  alignCorners: boolean
  halfPixel: boolean
}

/** As TensorFlow's ResizeBilinear and ResizeNearestNeighbor (tfjs-backend-cpu/src/kernels/Resize*.ts). */
export function resize(
  net: Network,
  value: Value,
  [height, width]: readonly [number, number],
  { mode, alignCorners, halfPixel }: ResizeOptions,
): Value {
  const [batch = null, rows = null, columns = null, channels = null] = value.shape
  if (rows === null || columns === null) throw shapeUnknown(value, 'Resize')
  if (mode === 'nearest' && halfPixel)
    throw new CorunError(
      'unsupported-operator',
      'the model uses what Corun does not import: ResizeNearestNeighbor with half_pixel_centers',
    )
  const coordinates = alignCorners ? 'align_corners' : halfPixel ? 'half_pixel' : 'asymmetric'
  const scales = net.tensor(floatTensor([4], [1, 1, height / rows, width / columns]))
  return net.emit('Resize', [net.use(value, 'first'), '', scales], {
    shape: [batch, height, width, channels],
    layout: 'first',
    attributes: {
      mode: text(mode),
      coordinate_transformation_mode: text(coordinates),
      nearest_mode: text(alignCorners ? 'round_prefer_ceil' : 'floor'),
    },
  })
}

export type Reduction = 'ReduceMean' | 'ReduceSum' | 'ReduceMax' | 'ReduceMin'

export function reduce(
  net: Network,
  opType: Reduction,
  value: Value,
  axes: readonly number[],
  keepDims: boolean,
): Value {
  const rank = value.shape.length
  const gone = (axes.length === 0 ? value.shape.map((_, axis) => axis) : axes).map(
    axis => (axis + rank) % rank,
  )
  const kept: Dim[] = value.shape.map((dim, axis) => (gone.includes(axis) ? 1 : dim))
  const overPixels = rank === 4 && sameDims([...gone].sort(), [1, 2])
  if (overPixels && opType === 'ReduceMean') {
    const pooled = globalPool(net, 'GlobalAveragePool', value)
    return keepDims ? pooled : reshape(net, pooled, [-1, value.shape[3] ?? -1])
  }
  const shape = keepDims ? kept : value.shape.filter((_, axis) => !gone.includes(axis))
  // What is left of [N, C, H, W] without its pixels, or without its channels, is in TensorFlow's order.
  const inOrder = keepDims || gone.includes(3) || (gone.includes(1) && gone.includes(2))
  const layout = value.layout === 'first' && inOrder ? 'first' : 'asShaped'
  const onnxAxes = gone.map(axis => axisIn(layout, axis)).sort((a, b) => a - b)
  const inputs = [net.use(value, layout)]
  if (opType === 'ReduceSum') inputs.push(net.tensor(int64Tensor(onnxAxes)))
  return net.emit(opType, inputs, {
    shape,
    layout: keepDims ? layout : 'asShaped',
    type: value.type,
    attributes: {
      keepdims: int(keepDims ? 1 : 0),
      ...(opType === 'ReduceSum' ? {} : { axes: ints(onnxAxes) }),
    },
  })
}

function shapeUnknown({ name, shape }: Value, what: string): CorunError {
  return new CorunError(
    'invalid-model',
    `${what} of "${name}" [${shape.map(dim => dim ?? '?').join(', ')}] needs sizes that the model does not fix: export it with a fixed input size`,
  )
}
