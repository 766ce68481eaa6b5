/**
 * Resize: which input coordinate an output pixel has, and what is mixed there. The coordinate and rounding
 * formulas are those of the operator's page in the ONNX operator list.
 */
import { floatsOf } from '../../onnx/index.ts'
import type { Differentiation, Rule, RuleTable } from '../rule.ts'
import { dimAt, normalAxis, range } from '../shape.ts'
import { type AxisMap, transposedAlong } from './axis-map.ts'

/** One axis: sizes, and the factor that the model asks for, which need not be their ratio. */
interface Axis {
  inputs: number
  outputs: number
  scale: number
}

type Coordinate = (output: number, axis: Axis) => number

const halfPixel: Coordinate = (output, { scale }) => (output + 0.5) / scale - 0.5

const coordinates: Record<string, Coordinate> = {
  half_pixel: halfPixel,
  half_pixel_symmetric: (output, axis) => {
    const adjustment = axis.outputs / (axis.scale * axis.inputs)
    return (axis.inputs / 2) * (1 - adjustment) + halfPixel(output, axis)
  },
  pytorch_half_pixel: (output, axis) => (axis.outputs > 1 ? halfPixel(output, axis) : 0),
  align_corners: (output, { inputs, outputs }) => (outputs > 1 ? (output * (inputs - 1)) / (outputs - 1) : 0),
  asymmetric: (output, { scale }) => output / scale,
}

const roundings: Record<string, (x: number) => number> = {
  round_prefer_floor: x => Math.ceil(x - 0.5),
  round_prefer_ceil: x => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
}

/** Weights of the taps from `first` on, relative to the floor of the coordinate; `t` is its fraction. */
function tapsOf(mode: string, t: number, a: number): { first: number; weights: number[] } {
  if (mode === 'linear') return { first: 0, weights: [1 - t, t] }
  // Keys 1981: the cubic convolution kernel with coefficient a, at distances 1 + t, t, 1 - t and 2 - t.
  const near = (d: number) => ((a + 2) * d - (a + 3)) * d * d + 1
  const far = (d: number) => ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
  return { first: -1, weights: [far(1 + t), near(t), near(1 - t), far(2 - t)] }
}

function mapOf(at: Differentiation, axis: Axis): AxisMap {
  const mode = at.text('mode', 'nearest')
  const by = at.text('coordinate_transformation_mode', 'half_pixel')
  const coordinate = coordinates[by] ?? at.refuse(`its coordinate_transformation_mode is ${by}`)
  const rounded = roundings[at.text('nearest_mode', 'round_prefer_floor')] ?? at.refuse('its nearest_mode')
  const clamp = (index: number) => Math.min(Math.max(index, 0), axis.inputs - 1)
  return range(axis.outputs).map(output => {
    const x = coordinate(output, axis)
    if (mode === 'nearest') return [{ from: clamp(rounded(x)), weight: 1 }]
    const low = Math.floor(x)
    const { first, weights } = tapsOf(mode, x - low, at.float('cubic_coeff_a', -0.75))
    return weights.map((weight, tap) => ({ from: clamp(low + first + tap), weight }))
  })
}

/** X, roi, scales or sizes -> Y. Several axes one after the other: the operator is separable. */
const resize: Rule = at => [
  () => {
    if (at.int('antialias', 0) !== 0) at.refuse('it is anti-aliased')
    if (at.int('exclude_outside', 0) !== 0) at.refuse('it excludes what lies outside')
    if (at.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch') at.refuse('it keeps the aspect ratio')
    const { dims } = at.x(0)
    const tensor = at.constant(2)
    const scales = tensor && tensor.data.length > 0 ? [...floatsOf(tensor)] : undefined
    const given = at.ints('axes')?.map(axis => normalAxis(axis, dims.length)) ?? range(dims.length)
    return given.reduce((gradient, index, place) => {
      const [inputs, outputs] = [dimAt(dims, index), dimAt(at.dy.dims, index)]
      const scale = scales?.[place] ?? outputs / inputs
      if (inputs === outputs && scale === 1) return gradient
      return transposedAlong(at.ops, gradient, index, inputs, mapOf(at, { inputs, outputs, scale }))
    }, at.dy)
  },
]

export const resizeRules: RuleTable = { Resize: resize }
