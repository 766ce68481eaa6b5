/**
 * Transposed convolutions in blocks, which have no operator of their own: the gradient of a convolution with strides
 * by its input. A depthwise one spreads its input, zeros between, for a convolution with stride 1. A dense one, for
 * which that is a multiple of the work, is a convolution a phase: the outputs that lie a stride apart meet the same
 * taps, and no others.
 */
import { type Attribute, int, ints, type Node } from '../../onnx/index.ts'
import type { Value } from '../emitter.ts'
import { dimAt, range } from '../shape.ts'
import { computesPads, depthwiseWeights } from './convolution.ts'
import { type BlockedValues, blockedDomain } from './values.ts'
import { turnedBlocks } from './weights.ts'

/** One axis of a transposed convolution: output y meets input h with tap y + begin - stride * h. */
interface Axis {
  inputs: number
  outputs: number
  kernel: number
  stride: number
  begin: number
}

/** The outputs at `phase`, `phase` + stride, ...: a convolution with stride 1 over the inputs. */
interface Phase {
  /** Of the taps in reverse order: the first one, and how many, a stride apart. */
  firstTap: number
  taps: number
  /** Padding. */
  begin: number
  end: number
}

export function isTransposedBlockable(node: Node, values: BlockedValues): boolean {
  if (node.opType !== 'ConvTranspose' || node.domain !== '' || node.inputs.length > 2) return false
  const { dilations, output_shape: outputShape } = node.attributes
  const dilated = dilations?.type === 'ints' && dilations.value.some(dilation => dilation !== 1)
  const w = values.of(node.inputs[1] ?? '')
  if (dilated || outputShape || computesPads(node) || w.type !== 'float32' || w.dims.length !== 4)
    return false
  const [inputs = 0, perGroup = 0] = w.dims
  const axes = axesOf(node, values)
  if (groupOf(node) === inputs && inputs > 1) {
    return perGroup === 1 && axes.map(spreadPads).every(({ begin, end }) => begin >= 0 && end >= 0)
  }
  const whole = inputs % values.block === 0 && perGroup % values.block === 0
  const phases = axes.flatMap(phasesOf)
  return (
    groupOf(node) === 1 && whole && phases.every(({ taps, begin, end }) => taps > 0 && begin >= 0 && end >= 0)
  )
}

export function transposeInBlocks(node: Node, values: BlockedValues): Value {
  return groupOf(node) === 1 ? byPhases(node, values) : bySpreading(node, values)
}

const groupOf = ({ attributes: { group } }: Node): number => (group?.type === 'int' ? group.value : 1)

function axesOf(node: Node, { of }: BlockedValues): Axis[] {
  const { strides, pads } = node.attributes
  const [x, w, y] = [node.inputs[0], node.inputs[1], node.outputs[0]].map(name => of(name ?? '').dims)
  return [0, 1].map(axis => ({
    inputs: x?.[axis + 2] ?? 0,
    outputs: y?.[axis + 2] ?? 0,
    kernel: w?.[axis + 2] ?? 0,
    stride: strides?.type === 'ints' ? (strides.value[axis] ?? 1) : 1,
    begin: pads?.type === 'ints' ? (pads.value[axis] ?? 0) : 0,
  }))
}

/** Of the convolution over the spread input, which has stride - 1 zeros after every element, the last one too. */
function spreadPads({ inputs, outputs, kernel, stride, begin }: Axis) {
  const before = kernel - 1 - begin
  return { begin: before, end: outputs + kernel - 1 - before - stride * inputs }
}

function bySpreading(node: Node, values: BlockedValues): Value {
  const { block, ops, of, inBlocks } = values
  const [x = '', w = ''] = node.inputs
  const y = of(node.outputs[0] ?? '')
  const axes = axesOf(node, values)
  const given = inBlocks(of(x))
  const [images = 0, channels = 0, rows = 0, columns = 0] = given.dims
  const [down = 1, across = 1] = axes.map(({ stride }) => stride)
  const apart = ops.reshape(given, [(images * channels * rows) / block, 1, columns, 1, block])
  const spread = ops.pad(apart, [0, 0, 0, 0, 0], [0, down - 1, 0, across - 1, 0])
  const turned = ops.reverse(of(w), [2, 3])
  const pads = axes.map(spreadPads)
  return ops.emit(
    'Conv',
    [
      ops.reshape(spread, [images, channels, rows * down, columns * across]),
      depthwiseWeights(turned, values),
    ],
    unitStrides(turned.dims.slice(2), pads, channels),
    { dims: [images, channels, ...y.dims.slice(2)], type: y.type },
    blockedDomain,
  )
}

/** One for each remainder of an output's position by the stride. */
function phasesOf({ inputs, outputs, kernel, stride, begin }: Axis): Phase[] {
  const steps = Math.ceil(outputs / stride)
  return range(stride).map(remainder => {
    const met = range(kernel).filter(tap => (remainder + begin - tap) % stride === 0)
    const [first = 0, last = 0] = [met.at(0), met.at(-1)]
    const inputOf = (tap: number) => (remainder + begin - tap) / stride // for the phase's first output
    return {
      firstTap: kernel - 1 - last,
      taps: met.length,
      begin: -inputOf(last),
      end: steps - 1 + inputOf(first) - (inputs - 1),
    }
  })
}

function byPhases(node: Node, values: BlockedValues): Value {
  const { block, ops, of, inBlocks, makePlain } = values
  const [x = '', w = ''] = node.inputs
  const { dims, type } = of(node.outputs[0] ?? '')
  const [images = 0, channels = 0, height = 0, width = 0] = dims
  const axes = axesOf(node, values)
  const [down = 1, across = 1] = axes.map(({ stride }) => stride)
  const [rows, columns] = [Math.ceil(height / down), Math.ceil(width / across)]
  const [downPhases = [], acrossPhases = []] = axes.map(phasesOf)
  makePlain(w)
  const weights = turnedBlocks(ops, of(w), block) // C/b, O/b, k, k, b times b
  const given = inBlocks(of(x))
  const convolve = (phases: readonly [Phase, Phase]) => {
    const ranges = phases.map(({ firstTap, taps }, axis) => ({
      axis: axis + 2,
      start: firstTap,
      count: taps,
      step: axis === 0 ? down : across,
    }))
    const kernel = phases.map(({ taps }) => taps)
    const filter = ops.reshape(ops.slice(weights, ranges), [channels, dimAt(given.dims, 1), ...kernel])
    const output = { dims: [images, channels, rows, columns], type }
    return ops.emit('Conv', [given, filter], unitStrides(kernel, phases, 1), output, blockedDomain)
  }
  const lines = (images * channels * rows) / block
  const together = downPhases.map(downPhase => {
    const parts = acrossPhases.map(acrossPhase =>
      ops.reshape(convolve([downPhase, acrossPhase]), [lines * columns, 1, block]),
    )
    return ops.reshape(ops.concat(parts, 1), [lines, 1, columns * across * block])
  })
  const all = ops.reshape(ops.concat(together, 1), [
    images,
    channels / block,
    rows * down,
    columns * across,
    block,
  ])
  const cropped = ops.slice(all, [
    { axis: 2, start: 0, count: height },
    { axis: 3, start: 0, count: width },
  ])
  return ops.reshape(cropped, dims)
}

function unitStrides(
  kernel: readonly number[],
  pads: readonly { begin: number; end: number }[],
  group: number,
): Record<string, Attribute> {
  return {
    kernel_shape: ints(kernel),
    strides: ints([1, 1]),
    dilations: ints([1, 1]),
    pads: ints([...pads.map(({ begin }) => begin), ...pads.map(({ end }) => end)]),
    group: int(group),
  }
}
