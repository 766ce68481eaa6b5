// Small graph models, written down node by node, that together use every operator that `corun import` knows.
import { wave } from './wave.ts'

const text = value => ({ s: Buffer.from(value).toString('base64') })
const texts = values => ({ list: { s: values.map(value => text(value).s) } })
const whole = values => ({ list: { i: values.map(String) } })
const one = value => ({ i: String(value) })

/** Collects nodes and weights; each method answers the new node's name. */
function createGraph() {
  const nodes = []
  const manifest = []
  const parts = []
  const add = (op, name, input, attr = {}) => {
    nodes.push({ name, op, input, attr: { T: { type: 'DT_FLOAT' }, ...attr } })
    return name
  }
  const keep = (name, dtype, shape, data) => {
    manifest.push({ name, shape, dtype })
    parts.push(Buffer.from(data.buffer))
    nodes.push({
      name,
      op: 'Const',
      attr: { dtype: { type: dtype === 'float32' ? 'DT_FLOAT' : 'DT_INT32' } },
    })
    return name
  }
  return {
    add,
    input(name, shape) {
      const dim = shape.map(size => ({ size: String(size) }))
      nodes.push({
        name,
        op: 'Placeholder',
        attr: { dtype: { type: 'DT_FLOAT' }, shape: { shape: { dim } } },
      })
      return name
    },
    floats: (name, shape, seed, change = value => value * 0.6) =>
      keep(name, 'float32', shape, wave(shape, seed).map(change)),
    number: (name, value) => keep(name, 'float32', [], Float32Array.of(value)),
    integers: (name, values, shape = [values.length]) => keep(name, 'int32', shape, Int32Array.from(values)),
    integer: (name, value) => keep(name, 'int32', [], Int32Array.of(value)),
    finish(name, shape, outputs) {
      const signature = {
        outputs: Object.fromEntries(outputs.map(output => [`${output}:0`, { name: `${output}:0` }])),
      }
      const json = {
        format: 'graph-model',
        modelTopology: { node: nodes, versions: { producer: 1 } },
        weightsManifest: [{ paths: ['weights.bin'], weights: manifest }],
        signature,
      }
      return { name, json, weights: Buffer.concat(parts), shape }
    },
  }
}

const conv = (strides, padding, dilations = [1, 1, 1, 1]) => ({
  strides: whole(strides),
  padding: text(padding),
  data_format: text('NHWC'),
  dilations: whole(dilations),
})

function pictures() {
  const g = createGraph()
  let x = g.input('picture', [-1, 11, 9, 3])
  x = g.add('_FusedConv2D', 'fused', [x, g.floats('k1', [3, 3, 3, 4], 1), g.floats('b1', [4], 2)], {
    ...conv([1, 2, 2, 1], 'SAME'),
    fused_ops: texts(['BiasAdd', 'Relu6']),
    num_args: one(1),
  })
  const skip = x
  x = g.add(
    'DepthwiseConv2dNative',
    'depth',
    [x, g.floats('k2', [3, 3, 4, 1], 3)],
    conv([1, 1, 1, 1], 'SAME'),
  )
  x = g.add('Mul', 'scaled', [x, g.floats('scale', [4], 4)])
  x = g.add('Add', 'shifted', [x, g.floats('shift', [4], 5)])
  x = g.add('Relu', 'relu', [x])
  x = g.add('Minimum', 'least', [x, g.number('six', 0.4)])
  x = g.add('Maximum', 'most', [x, g.number('zero', 0.05)])
  x = g.add('AddV2', 'sum', [x, skip])
  x = g.add(
    'FusedBatchNormV3',
    'norm',
    [
      x,
      g.floats('gamma', [4], 6),
      g.floats('beta', [4], 7),
      g.floats('mean', [4], 8),
      g.floats('variance', [4], 9, value => 0.4 + Math.abs(value)),
    ],
    {
      epsilon: { f: 0.001 },
      data_format: text('NHWC'),
      is_training: { b: false },
    },
  )
  x = g.add('Prelu', 'prelu', [x, g.floats('slope', [1, 1, 4], 10)])
  x = g.add('Pad', 'padded', [x, g.integers('amounts', [0, 0, 1, 0, 0, 1, 0, 2], [4, 2])])
  x = g.add('Conv2D', 'plain', [x, g.floats('k3', [2, 2, 6, 6], 11)], conv([1, 1, 1, 1], 'VALID'))
  x = g.add('BiasAdd', 'biased', [x, g.floats('b3', [6], 12)])
  x = g.add('LeakyRelu', 'leaky', [x], { alpha: { f: 0.1 } })
  const big = g.add('ResizeBilinear', 'bigger', [x, g.integers('size', [9, 8])], {
    align_corners: { b: false },
    half_pixel_centers: { b: true },
  })
  const corners = g.add('ResizeBilinear', 'corners', [x, g.integers('size2', [9, 8])], {
    align_corners: { b: true },
    half_pixel_centers: { b: false },
  })
  const near = g.add('ResizeNearestNeighbor', 'near', [x, g.integers('size3', [9, 8])], {
    align_corners: { b: false },
    half_pixel_centers: { b: false },
  })
  const pool = {
    ksize: whole([1, 2, 2, 1]),
    strides: whole([1, 2, 2, 1]),
    padding: text('SAME'),
    data_format: text('NHWC'),
  }
  const joined = g.add('ConcatV2', 'joined', [big, corners, near, g.integer('axis', 3)], { N: one(3) })
  const most = g.add('MaxPool', 'maxpool', [joined], pool)
  const mean = g.add('AvgPool', 'meanpool', [joined], pool)
  const apart = g.add('SquaredDifference', 'apart', [most, mean])
  const turned = g.add('Transpose', 'turned', [apart, g.integers('perm', [0, 3, 1, 2])])
  const flat = g.add('Reshape', 'flat', [apart, g.integers('flatten', [-1, 360])])
  const product = g.add(
    '_FusedMatMul',
    'product',
    [flat, g.floats('w', [360, 5], 13, value => value * 0.1), g.floats('b', [5], 14)],
    {
      fused_ops: texts(['BiasAdd', 'Relu']),
      num_args: one(1),
      transpose_a: { b: false },
      transpose_b: { b: false },
    },
  )
  const classes = g.add('Softmax', 'classes', [product])
  const gap = g.add('Mean', 'gap', [apart, g.integers('pixels', [1, 2])], { keep_dims: { b: false } })
  const kept = g.add('Mean', 'kept', [apart, g.integers('pixels2', [1, 2])], { keep_dims: { b: true } })
  const gated = g.add('Mul', 'gated', [apart, g.add('Sigmoid', 'gate', [kept])])
  const highest = g.add('Max', 'highest', [gated, g.integers('rows', [1])], { keep_dims: { b: false } })
  const total = g.add('Sum', 'total', [gated, g.integers('channels', [3])], { keep_dims: { b: false } })
  // TensorFlow.js itself is wrong where a step is not 1 and an axis goes (4.22 reads other channels): each by itself.
  const masks = { ellipsis_mask: one(0), new_axis_mask: one(0) }
  const bounds = (name, begin, end, step) => [
    g.integers(`${name}/begin`, begin),
    g.integers(`${name}/end`, end),
    g.integers(`${name}/step`, step),
  ]
  const sparse = g.add(
    'StridedSlice',
    'sparse',
    [gated, ...bounds('sparse', [0, 1, 0, 2], [0, 4, 0, 9], [1, 2, 1, 3])],
    { ...masks, begin_mask: one(5), end_mask: one(5), shrink_axis_mask: one(0) },
  )
  const cut = g.add(
    'StridedSlice',
    'cut',
    [gated, ...bounds('cut', [0, 1, 0, 2], [0, 4, 0, 3], [1, 1, 1, 1])],
    { ...masks, begin_mask: one(5), end_mask: one(5), shrink_axis_mask: one(8) },
  )
  const part = g.add('Slice', 'part', [
    gated,
    g.integers('from', [0, 1, 1, 3]),
    g.integers('much', [-1, 2, -1, 4]),
  ])
  // In an order of its own: transposed values are reached by rank 4 outputs with channels first.
  return g.finish('pictures', [2, 11, 9, 3], [turned, classes, gap, highest, total, sparse, cut, part])
}

function rows() {
  const g = createGraph()
  const x = g.input('row', [-1, 6])
  const positive = g.add('Exp', 'positive', [x])
  const unary = [
    'Abs',
    'Neg',
    'Log',
    'Sqrt',
    'Rsqrt',
    'Square',
    'Tanh',
    'Elu',
    'Selu',
    'Softplus',
    'LogSoftmax',
    'Floor',
    'Ceil',
  ]
  const each = unary.map(op => g.add(op, op.toLowerCase(), [positive]))
  const mixed = g.add('AddN', 'mixed', each, { N: one(each.length) })
  const shares = g.add('RealDiv', 'shares', [mixed, positive])
  const less = g.add('Sub', 'less', [g.number('two', 2), shares])
  const power = g.add('Pow', 'power', [positive, g.number('exponent', 1.5)])
  const product = g.add('MatMul', 'product', [less, g.floats('w', [4, 6], 3)], {
    transpose_a: { b: false },
    transpose_b: { b: true },
  })
  const stacked = g.add('Pack', 'stacked', [less, power], { N: one(2), axis: one(1) })
  const wide = g.add('ExpandDims', 'wide', [product, g.integer('at', 1)])
  const thin = g.add('Squeeze', 'thin', [wide], { squeeze_dims: whole([1]) })
  g.add('Split', 'halves', [g.integer('split_axis', 1), power], { num_split: one(2) })
  const difference = g.add('Sub', 'difference', ['halves', 'halves:1'])
  g.add('Unpack', 'layers', [stacked], { num: one(2), axis: one(1) })
  const smallest = g.add(
    'Min',
    'smallest',
    [g.add('Sub', 'unstacked', ['layers', 'layers:1']), g.integers('last', [-1])],
    { keep_dims: { b: true } },
  )
  const limited = g.add('ClipByValue', 'limited', [less, g.number('low', -0.5), g.number('high', 0.5)])
  return g.finish('rows', [3, 6], [stacked, g.add('Identity', 'out', [thin]), difference, smallest, limited])
}

export const graphs = () => [pictures(), rows()]
