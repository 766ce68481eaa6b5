/** Operators that repeat, interleave or accumulate elements along axes. */
import { int } from '../../onnx/index.ts'
import type { Rule, RuleTable } from '../rule.ts'
import { dimAt } from '../shape.ts'

/** Each axis [d] became [times, d]: the copies are summed. */
const tile: Rule = at => [
  () => {
    const { dims } = at.x(0)
    const repeats = at.integers(1) ?? []
    const parted = at.ops.reshape(
      at.dy,
      dims.flatMap((dim, axis) => [repeats[axis] ?? 1, dim]),
    )
    const copies = dims.flatMap((_, axis) => ((repeats[axis] ?? 1) > 1 ? [2 * axis] : []))
    return at.ops.reshape(at.ops.reduceSum(parted, copies), dims)
  },
]

/** [N, C, H, W] by blocks of b: depth is [b, b, C] in mode DCR, [C, b, b] in mode CRD; space is [H, b, W, b]. */
const depthToSpace: Rule = at => [
  () => {
    const [batch = 0, , height = 0, width = 0] = at.x(0).dims
    const block = at.int('blocksize', 1)
    const parted = at.ops.reshape(at.dy, [batch, dimAt(at.dy.dims, 1), height, block, width, block])
    const perm = at.text('mode', 'DCR') === 'DCR' ? [0, 3, 5, 1, 2, 4] : [0, 1, 3, 5, 2, 4]
    return at.ops.reshape(at.ops.transpose(parted, perm), at.x(0).dims)
  },
]

const spaceToDepth: Rule = at => [
  () => {
    const [batch = 0, , height = 0, width = 0] = at.dy.dims
    const block = at.int('blocksize', 1)
    const parted = at.ops.reshape(at.dy, [batch, block, block, dimAt(at.x(0).dims, 1), height, width])
    return at.ops.reshape(at.ops.transpose(parted, [0, 3, 4, 1, 5, 2]), at.x(0).dims)
  },
]

/** A running sum gives its gradient to all before: the running sum from the other end. */
const runningSum: Rule = at => [
  () => {
    const attributes = { exclusive: int(at.int('exclusive', 0)), reverse: int(1 - at.int('reverse', 0)) }
    return at.ops.emit('CumSum', [at.dy, at.x(1)], attributes, at.dy)
  },
]

const triangle: Rule = at => [
  () => {
    const diagonal = at.has(1) ? [at.x(1)] : []
    return at.ops.emit('Trilu', [at.dy, ...diagonal], { upper: int(at.int('upper', 1)) }, at.dy)
  },
]

export const rearrangeRules: RuleTable = {
  Tile: tile,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  CumSum: runningSum,
  Trilu: triangle,
}
