/** Pools; the maximum over windows has a file of its own. */
import { floatTensor } from '../../onnx/index.ts'
import type { ConvAttributes } from '../operators/index.ts'
import type { Differentiation, Rule, RuleTable } from '../rule.ts'
import { dimAt, range, sizeOf } from '../shape.ts'
import { maxPool } from './max-pool.ts'
import { shareOfEqual } from './reduce.ts'
import { extentOf, windowOf } from './window.ts'

/** dy / count spread over each window: a ConvTranspose with a kernel of ones, every map an image of its own. */
const averagePool: Rule = at => [
  () => {
    const { dy, ops, x } = at
    const window = windowOf(at)
    const outputs = dy.dims.slice(2)
    const spatial = x(0).dims.slice(2)
    const shares = ops.mul(dy, sharesOf(at, window, outputs))
    const maps = sizeOf(dy.dims.slice(0, 2))
    const ones = ops.expand(ops.scalar(1, dy), [1, 1, ...window.kernel])
    // With ceil_mode the last window can reach past the padding.
    const padEnd = extentOf(window, outputs).map((extent, axis) =>
      Math.max(extent - dimAt(window.padBegin, axis) - dimAt(spatial, axis), 0),
    )
    const sum = ops.convTranspose(
      ops.reshape(shares, [maps, 1, ...outputs]),
      ones,
      { ...window, padEnd },
      spatial,
    )
    return ops.reshape(sum, x(0).dims)
  },
]

/** 1 / (elements that count) for every window: [1, 1, outputs...]. */
function sharesOf(at: Differentiation, window: ConvAttributes, outputs: readonly number[]) {
  const includePad = at.int('count_include_pad', 0) !== 0
  const spatial = at.x(0).dims.slice(2)
  const alongAxis = outputs.map((count, axis) =>
    range(count).map(position => {
      const start = position * dimAt(window.strides, axis) - dimAt(window.padBegin, axis)
      const low = includePad ? -dimAt(window.padBegin, axis) : 0
      const high = dimAt(spatial, axis) + (includePad ? dimAt(window.padEnd, axis) : 0)
      const dilation = dimAt(window.dilations, axis)
      return range(dimAt(window.kernel, axis)).filter(tap => {
        const index = start + tap * dilation
        return index >= low && index < high
      }).length
    }),
  )
  const counts = alongAxis.reduce<number[]>((all, axis) => all.flatMap(a => axis.map(b => a * b)), [1])
  const shares = floatTensor(
    [1, 1, ...outputs],
    counts.map(count => 1 / count),
    at.dy.type,
  )
  return at.ops.constant(shares)
}

/** The gradient is the same for every position of a map; the walk repeats it. */
const globalAveragePool: Rule = ({ dy, ops, x }) => [() => ops.scale(dy, 1 / sizeOf(x(0).dims.slice(2)))]

export const poolRules: RuleTable = {
  MaxPool: maxPool,
  AveragePool: averagePool,
  GlobalAveragePool: globalAveragePool,
  GlobalMaxPool: ({ dy, ops, x, y }) => [
    () => ops.mul(dy, shareOfEqual(ops, x(0), y(), range(x(0).dims.length).slice(2))),
  ],
}
