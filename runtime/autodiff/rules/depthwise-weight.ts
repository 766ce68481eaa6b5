/**
 * The gradient of a depthwise convolution by its weight, dW [C, 1, k...], from x [N, C, ...] and dY [N, C, ...].
 *
 * It is a correlation a channel, which has too little arithmetic for its memory traffic when every tap is
 * taken by itself. So dY is cut into blocks of a few positions, x into the overlapping blocks that those see, and
 * one product a channel, summed over images and blocks, gives every pair (position in x's block, position in
 * dY's block). Each tap is the sum of the pairs that lie its offset apart: a product with a constant 0/1 matrix.
 * A few times as many multiplications as needed, but in the engine's fastest operator and on little memory.
 *
 * Along the last axis x is cut without overlap, and dY, which is smaller, appears once a block that a window
 * reaches into, shifted by whole blocks: `shifts` copies side by side.
 */
import { floatTensor } from '../../onnx/index.ts'
import type { Value } from '../emitter.ts'
import type { ConvAttributes, Operators } from '../operators/index.ts'
import { dimAt, positionsOf, range, sizeOf } from '../shape.ts'

/** Positions of dY in a block: the width at which the engine's matrix product runs at full speed. */
const BLOCK = 16
/** Along the last axis; the rest of BLOCK goes to the axes before it. */
const BLOCK_WIDTH = 4

/** How one spatial axis is cut. */
interface Cut {
  /** Positions of dY in a block, and blocks along the axis. */
  block: number
  blocks: number
  /** Input elements that a block sees, and from one block's first to the next one's. */
  seen: number
  pace: number
  /** Blocks of `pace` elements that one block of dY sees into. */
  shifts: number
  stride: number
  dilation: number
  kernel: number
}

export function depthwiseWeightGradient(
  ops: Operators,
  x: Value,
  dy: Value,
  dims: readonly number[],
  window: ConvAttributes,
): Value {
  const cuts = cutsOf(dy.dims.slice(2), window)
  const channels = dimAt(x.dims, 1)
  const seen = inputBlocks(ops, x, window, cuts)
  const given = outputBlocks(ops, dy, cuts)
  const pairs = ops.matMul(ops.transpose(seen, [0, 2, 1]), given)
  const flat = ops.reshape(pairs, [channels, sizeOf(pairs.dims) / channels])
  return ops.reshape(ops.gemm(flat, selection(ops, dy, cuts)), dims)
}

function cutsOf(outputs: readonly number[], { kernel, strides, dilations }: ConvAttributes): Cut[] {
  let left = BLOCK
  const cuts = outputs.map((count, axis) => ({ count, axis })).reverse()
  return cuts
    .map(({ count, axis }, place): Cut => {
      const block = Math.max(1, Math.min(count, place === 0 ? BLOCK_WIDTH : left))
      left = Math.floor(left / block)
      const stride = dimAt(strides, axis)
      const dilation = dimAt(dilations, axis)
      const seen = (block - 1) * stride + dilation * (dimAt(kernel, axis) - 1) + 1
      const pace = block * stride
      const shape = { stride, dilation, kernel: dimAt(kernel, axis) }
      return { block, blocks: Math.ceil(count / block), seen, pace, shifts: Math.ceil(seen / pace), ...shape }
    })
    .reverse()
}

/** x as [C, images and blocks, positions seen]; along the last axis a block is one pace, no more. */
function inputBlocks(ops: Operators, x: Value, window: ConvAttributes, cuts: readonly Cut[]): Value {
  const spatial = x.dims.slice(2)
  const last = cuts.length - 1
  // Whole paces for every copy that overlapping() takes, but no more than one block sees.
  const sizes = cuts.map(({ blocks, pace, shifts, seen }, axis) =>
    blocks === 1 && axis !== last ? seen : (blocks - 1 + shifts) * pace,
  )
  const kept = spatial.map((size, axis) => Math.min(size, dimAt(sizes, axis) - dimAt(window.padBegin, axis)))
  const cropped = ops.slice(
    x,
    kept.map((count, axis) => ({ axis: axis + 2, start: 0, count })),
  )
  const padEnd = sizes.map((size, axis) => size - dimAt(window.padBegin, axis) - dimAt(kept, axis))
  const padded = ops.pad(cropped, [0, 0, ...window.padBegin], [0, 0, ...padEnd])
  const parted = cuts.reduce((value, cut, axis) => {
    const at = 2 * axis + 2
    if (axis !== last) return overlapping(ops, value, at, cut)
    return ops.reshape(value, [...value.dims.slice(0, at), cut.blocks - 1 + cut.shifts, cut.pace])
  }, padded)
  const ordered = blocksFirst(ops, parted)
  const positions = cuts.map(({ seen, pace }, axis) => (axis === last ? pace : seen))
  return collected(ops, ordered, positions)
}

/** dY as [C, images and blocks, shifts * positions] */
function outputBlocks(ops: Operators, dy: Value, cuts: readonly Cut[]): Value {
  const spatial = dy.dims.slice(2)
  const [batch = 0, channels = 0] = dy.dims
  const padEnd = cuts.map(({ block, blocks }, axis) => block * blocks - dimAt(spatial, axis))
  const padded = ops.pad(
    dy,
    dy.dims.map(() => 0),
    [0, 0, ...padEnd],
  )
  const parted = ops.reshape(padded, [
    batch,
    channels,
    ...cuts.flatMap(({ block, blocks }) => [blocks, block]),
  ])
  const positions = cuts.map(({ block }) => block)
  const blocks = cuts.map(cut => cut.blocks)
  const rows = ops.reshape(blocksFirst(ops, parted), [channels, batch, ...blocks, sizeOf(positions)])
  const lastBlocks = cuts.length + 1
  const shifts = cuts.at(-1)?.shifts ?? 1
  const copies = range(shifts).map(shift => {
    const zeros = (count: number) => rows.dims.map((_, axis) => (axis === lastBlocks ? count : 0))
    return ops.pad(rows, zeros(shift), zeros(shifts - 1 - shift))
  })
  return collected(ops, ops.concat(copies, lastBlocks + 1), [shifts * sizeOf(positions)])
}

/** [N, C, blocks, positions, blocks, positions, ...] -> [C, N, blocks..., positions...] */
function blocksFirst(ops: Operators, parted: Value): Value {
  const rank = parted.dims.length / 2 - 1
  const blocks = range(rank).map(axis => 2 * axis + 2)
  const positions = range(rank).map(axis => 2 * axis + 3)
  return ops.transpose(parted, [1, 0, ...blocks, ...positions])
}

/** [C, N, blocks..., positions...] -> [C, N * blocks..., positions] */
function collected(ops: Operators, ordered: Value, positions: readonly number[]): Value {
  const [channels = 0] = ordered.dims
  const inner = sizeOf(positions)
  return ops.reshape(ordered, [channels, sizeOf(ordered.dims) / channels / inner, inner])
}

/** Axis `axis` becomes [blocks, seen]: what reaches past a pace comes from copies shifted by whole paces. */
function overlapping(ops: Operators, x: Value, axis: number, { blocks, pace, seen, shifts }: Cut): Value {
  if (blocks === 1) return ops.reshape(x, [...x.dims.slice(0, axis), 1, seen, ...x.dims.slice(axis + 1)])
  const copies = range(shifts).map(shift => {
    const shifted = ops.slice(x, [{ axis, start: shift * pace, count: blocks * pace }])
    const parted = ops.reshape(shifted, [...x.dims.slice(0, axis), blocks, pace, ...x.dims.slice(axis + 1)])
    return ops.slice(parted, [{ axis: axis + 1, start: 0, count: Math.min(pace, seen - shift * pace) }])
  })
  return ops.concat(copies, axis + 1)
}

/** [positions seen * (shift, position), taps]: 1 where the pair's distance is the tap's offset. */
function selection(ops: Operators, like: Value, cuts: readonly Cut[]): Value {
  const last = cuts.length - 1
  const { pace = 1, shifts = 1 } = cuts[last] ?? {}
  const seen = cuts.map((cut, axis) => (axis === last ? cut.pace : cut.seen))
  const blocks = cuts.map(cut => cut.block)
  const kernel = cuts.map(cut => cut.kernel)
  const columns = shifts * sizeOf(blocks)
  const data = new Float32Array(sizeOf(seen) * columns * sizeOf(kernel))
  for (const [tap, offset] of positionsOf(kernel).entries()) {
    for (const [place, position] of positionsOf(blocks).entries()) {
      const met = cuts.map(
        ({ stride, dilation }, axis) => dimAt(position, axis) * stride + dimAt(offset, axis) * dilation,
      )
      const shift = Math.floor(dimAt(met, last) / pace)
      const within = met.map((at, axis) => (axis === last ? at - shift * pace : at))
      const source = within.reduce((index, at, axis) => index * dimAt(seen, axis) + at, 0)
      data[(source * columns + shift * sizeOf(blocks) + place) * sizeOf(kernel) + tap] = 1
    }
  }
  return ops.constant(floatTensor([sizeOf(seen) * columns, sizeOf(kernel)], data, like.type))
}
