/** What each layer of Keras becomes. Options and their defaults are those of tfjs-layers/src/layers/. */
import { z } from 'zod'
import { concat, flatten, pad, reshape, resize, slice, transpose } from './arrange.ts'
import { convolution, depthwise, globalPool, pool, transposedConvolution } from './convolution.ts'
import { batchNormalization, dense } from './dense.ts'
import { activate, binary, leakyRelu, limit, prelu, softmax } from './elementwise.ts'
import type { Network } from './network.ts'
import { unsupported } from './unsupported.ts'
import { constantOf, scalar, type Value } from './value.ts'
import type { Weight } from './weights.ts'

export interface LayerInput {
  name: string
  config: Record<string, unknown>
  inputs: readonly Value[]
  /** A weight of this layer by its name in Keras. Throws `invalid-model` when it is missing. */
  weight(name: string): Weight
}

type Convert = (net: Network, layer: LayerInput, input: Value) => Value

const pair = z
  .union([z.number(), z.array(z.number()).min(2), z.array(z.number()).length(1)])
  .transform((value): [number, number] =>
    typeof value === 'number' ? [value, value] : [value[0] ?? 1, value[1] ?? value[0] ?? 1],
  )
const activation = z
  .string()
  .nullish()
  .transform(name => name ?? 'linear')
const channelsLast = { data_format: z.literal('channels_last').nullish() }
const padding = z.enum(['same', 'valid']).default('valid')

const convolutionOptions = z.looseObject({
  ...channelsLast,
  strides: pair.prefault(1),
  dilation_rate: pair.prefault(1),
  padding,
  activation,
  use_bias: z.boolean().default(true),
})
const poolOptions = z.looseObject({
  ...channelsLast,
  pool_size: pair.prefault(2),
  strides: pair.nullish(),
  padding,
})
const denseOptions = z.looseObject({ activation, use_bias: z.boolean().default(true) })
const normalizationOptions = z.looseObject({
  axis: z.union([z.int(), z.tuple([z.int()]).transform(([axis]) => axis)]).default(-1),
  epsilon: z.number().default(1e-3),
  center: z.boolean().default(true),
  scale: z.boolean().default(true),
})
const reluOptions = z.looseObject({
  max_value: z.number().nullish(),
  negative_slope: z.number().nullish(),
  threshold: z.number().nullish(),
})
const sides = z
  .union([
    z.number(),
    z.tuple([z.number(), z.number()]),
    z.tuple([z.tuple([z.number(), z.number()]), z.tuple([z.number(), z.number()])]),
  ])
  .transform((value): [[number, number], [number, number]] => {
    if (typeof value === 'number')
      return [
        [value, value],
        [value, value],
      ]
    const [rows, columns] = value
    return typeof rows === 'number' || typeof columns === 'number'
      ? [
          [Number(rows), Number(rows)],
          [Number(columns), Number(columns)],
        ]
      : [rows, columns]
  })

/** Checks a layer's options. What Corun does not import, such as channels first, is refused with the layer's name. */
function optionsOf<Schema extends z.ZodType>(schema: Schema, { name, config }: LayerInput): z.output<Schema> {
  const parsed = schema.safeParse(config)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const path = issue?.path.join('.') ?? ''
  throw unsupported([`layer "${name}" with ${path} ${JSON.stringify(config[String(issue?.path[0])])}`])
}

const same: Convert = (_net, _layer, input) => input
const merged =
  (opType: string): Convert =>
  (net, { inputs }, input) =>
    inputs.slice(1).reduce((result, value) => binary(net, opType, result, value), input)

export const layerKinds: Record<string, Convert> = {
  Dropout: same,
  SpatialDropout2D: same,
  GaussianNoise: same,
  GaussianDropout: same,
  AlphaDropout: same,
  ActivityRegularization: same,

  Conv2D: (net, layer, input) => {
    const options = optionsOf(convolutionOptions, layer)
    const bias = options.use_bias ? layer.weight('bias') : undefined
    const result = convolution(net, input, layer.weight('kernel'), bias, windowOf(options))
    return activate(net, options.activation, result)
  },
  DepthwiseConv2D: (net, layer, input) => {
    const options = optionsOf(convolutionOptions, layer)
    const bias = options.use_bias ? layer.weight('bias') : undefined
    const result = depthwise(net, input, layer.weight('depthwise_kernel'), bias, windowOf(options))
    return activate(net, options.activation, result)
  },
  SeparableConv2D: (net, layer, input) => {
    const options = optionsOf(convolutionOptions, layer)
    const bias = options.use_bias ? layer.weight('bias') : undefined
    const apart = depthwise(net, input, layer.weight('depthwise_kernel'), undefined, windowOf(options))
    const point = { strides: [1, 1], padding: 'valid', dilations: [1, 1] } as const
    return activate(
      net,
      options.activation,
      convolution(net, apart, layer.weight('pointwise_kernel'), bias, point),
    )
  },
  Conv2DTranspose: (net, layer, input) => {
    const options = optionsOf(convolutionOptions, layer)
    const bias = options.use_bias ? layer.weight('bias') : undefined
    const result = transposedConvolution(net, input, layer.weight('kernel'), bias, options)
    return activate(net, options.activation, result)
  },
  Dense: (net, layer, input) => {
    const options = optionsOf(denseOptions, layer)
    const bias = options.use_bias ? layer.weight('bias') : undefined
    return activate(net, options.activation, dense(net, input, layer.weight('kernel'), bias))
  },
  BatchNormalization: (net, layer, input) => {
    const { axis, epsilon, center, scale } = optionsOf(normalizationOptions, layer)
    if (axis !== -1 && axis !== input.shape.length - 1) {
      throw unsupported([`layer "${layer.name}" with axis ${axis}, which is not the last`])
    }
    return batchNormalization(net, input, {
      scale: scale ? layer.weight('gamma') : undefined,
      offset: center ? layer.weight('beta') : undefined,
      mean: layer.weight('moving_mean'),
      variance: layer.weight('moving_variance'),
      epsilon,
    })
  },

  Activation: (net, layer, input) =>
    activate(net, optionsOf(z.looseObject({ activation }), layer).activation, input),
  ReLU: (net, layer, input) => {
    const { max_value: most, negative_slope: slope, threshold } = optionsOf(reluOptions, layer)
    if (threshold) throw unsupported([`layer "${layer.name}" with threshold ${threshold}`])
    if (slope && most != null) throw unsupported([`layer "${layer.name}" with a slope and a maximum`])
    return slope ? leakyRelu(net, input, slope) : limit(net, input, 0, most ?? Number.POSITIVE_INFINITY)
  },
  LeakyReLU: (net, layer, input) => {
    const { alpha, negative_slope: slope } = optionsOf(
      z.looseObject({ alpha: z.number().optional(), negative_slope: z.number().optional() }),
      layer,
    )
    return leakyRelu(net, input, alpha ?? slope ?? 0.3)
  },
  PReLU: (net, layer, input) => prelu(net, input, constantOf(layer.weight('alpha'))),
  ELU: (net, _layer, input) => activate(net, 'elu', input),
  Softmax: (net, layer, input) =>
    softmax(net, input, optionsOf(z.looseObject({ axis: z.int().default(-1) }), layer).axis),

  ZeroPadding2D: (net, layer, input) => {
    const [rows, columns] = optionsOf(
      z.looseObject({ ...channelsLast, padding: sides.prefault(1) }),
      layer,
    ).padding
    return pad(net, input, [[0, 0], rows, columns, [0, 0]])
  },
  Cropping2D: (net, layer, input) => {
    const [rows, columns] = optionsOf(
      z.looseObject({ ...channelsLast, cropping: sides.prefault(0) }),
      layer,
    ).cropping
    const end = (after: number) => (after === 0 ? Number.MAX_SAFE_INTEGER : -after)
    const last = Number.MAX_SAFE_INTEGER
    return slice(net, input, {
      starts: [0, rows[0], columns[0], 0],
      ends: [last, end(rows[1]), end(columns[1]), last],
      steps: [1, 1, 1, 1],
    })
  },
  MaxPooling2D: (net, layer, input) => pooled(net, layer, input, 'MaxPool'),
  AveragePooling2D: (net, layer, input) => pooled(net, layer, input, 'AveragePool'),
  GlobalAveragePooling2D: (net, layer, input) => globally(net, layer, input, 'GlobalAveragePool'),
  GlobalMaxPooling2D: (net, layer, input) => globally(net, layer, input, 'GlobalMaxPool'),
  UpSampling2D: (net, layer, input) => {
    const { size, interpolation } = optionsOf(
      z.looseObject({
        ...channelsLast,
        size: pair.prefault(2),
        interpolation: z.enum(['nearest', 'bilinear']).default('nearest'),
      }),
      layer,
    )
    const [, height = null, width = null] = input.shape
    if (height === null || width === null) throw unsupported([`layer "${layer.name}" of an unknown size`])
    const mode = interpolation === 'nearest' ? 'nearest' : 'linear'
    const target = [height * size[0], width * size[1]] as const
    return resize(net, input, target, { mode, alignCorners: false, halfPixel: false })
  },

  Flatten: (net, layer, input) => {
    optionsOf(z.looseObject(channelsLast), layer)
    return flatten(net, input)
  },
  Reshape: (net, layer, input) => {
    const { target_shape: target } = optionsOf(z.looseObject({ target_shape: z.array(z.int()) }), layer)
    return reshape(net, input, [input.shape[0] ?? -1, ...target])
  },
  Permute: (net, layer, input) =>
    transpose(net, input, [0, ...optionsOf(z.looseObject({ dims: z.array(z.int()) }), layer).dims]),
  Rescaling: (net, layer, input) => {
    const { scale, offset } = optionsOf(
      z.looseObject({ scale: z.number().default(1), offset: z.number().default(0) }),
      layer,
    )
    return binary(net, 'Add', binary(net, 'Mul', input, scalar(scale)), scalar(offset))
  },

  Add: merged('Add'),
  Subtract: merged('Sub'),
  Multiply: merged('Mul'),
  Maximum: merged('Max'),
  Minimum: merged('Min'),
  Average: (net, layer, input) =>
    binary(net, 'Div', merged('Add')(net, layer, input), scalar(layer.inputs.length)),
  Concatenate: (net, layer) =>
    concat(net, layer.inputs, optionsOf(z.looseObject({ axis: z.int().default(-1) }), layer).axis),
}

function windowOf({ strides, padding, dilation_rate: dilations }: z.output<typeof convolutionOptions>) {
  return { strides, padding, dilations }
}

function pooled(net: Network, layer: LayerInput, input: Value, kind: 'MaxPool' | 'AveragePool'): Value {
  const { pool_size: size, strides, padding } = optionsOf(poolOptions, layer)
  return pool(net, kind, input, size, strides ?? size, padding)
}

function globally(
  net: Network,
  layer: LayerInput,
  input: Value,
  kind: 'GlobalMaxPool' | 'GlobalAveragePool',
): Value {
  const { keepdims } = optionsOf(
    z.looseObject({ ...channelsLast, keepdims: z.boolean().default(false) }),
    layer,
  )
  const pooled = globalPool(net, kind, input)
  return keepdims ? pooled : flatten(net, pooled)
}
