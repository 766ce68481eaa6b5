/**
 * Operators that are a linear map along each axis by itself, such as Resize and Pad: y = A x with a constant
 * matrix [outputs, inputs] an axis. The gradient is A transposed, axis by axis.
 */
import { floatTensor } from '../../onnx/index.ts'
import type { Value } from '../emitter.ts'
import type { Operators } from '../operators/index.ts'
import { dimAt, range, sizeOf } from '../shape.ts'

/** Of every output along an axis, the inputs that it is made of, and their weights. */
export type AxisMap = readonly (readonly { from: number; weight: number }[])[]

/** `dy` [..., outputs, ...] -> [..., inputs, ...] */
export function transposedAlong(
  ops: Operators,
  dy: Value,
  axis: number,
  inputs: number,
  map: AxisMap,
): Value {
  const before = dy.dims.slice(0, axis)
  const after = dy.dims.slice(axis + 1)
  const dims = [...before, inputs, ...after]
  const outputs = dimAt(dy.dims, axis)
  if (isRepetition(map, inputs)) {
    const parted = ops.reshape(dy, [...before, inputs, outputs / inputs, ...after])
    return ops.reduceSum(parted, [axis + 1], false)
  }
  const matrix = floatTensor([outputs, inputs], entriesOf(map, inputs), dy.type)
  if (after.length === 0) {
    const rows = ops.reshape(dy, [sizeOf(before), outputs])
    return ops.reshape(ops.gemm(rows, ops.constant(matrix)), dims)
  }
  const columns = ops.reshape(dy, [sizeOf(before), outputs, sizeOf(after)])
  const transposed = ops.transpose(ops.constant(matrix), [1, 0])
  return ops.reshape(ops.matMul(transposed, columns), dims)
}

/** Whether every input appears the same whole number of times, in order: a sum is cheaper than a product. */
function isRepetition(map: AxisMap, inputs: number): boolean {
  const times = map.length / inputs
  return (
    Number.isInteger(times) &&
    map.every((taps, output) =>
      taps.every(({ from, weight }) => weight === 1 && from === Math.floor(output / times)),
    )
  )
}

function entriesOf(map: AxisMap, inputs: number): Float64Array {
  const entries = new Float64Array(map.length * inputs)
  for (const [output, taps] of map.entries()) {
    // Taps past an edge are clamped to it, so several may name one input.
    for (const { from, weight } of taps)
      entries[output * inputs + from] = (entries[output * inputs + from] ?? 0) + weight
  }
  return entries
}

/** One input an output, weight 1: a map that only picks. */
export function picking(outputs: number, from: (output: number) => number): AxisMap {
  return range(outputs).map(output => [{ from: from(output), weight: 1 }])
}
