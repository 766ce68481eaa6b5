/** Weights of dense convolutions in blocks: [O, C, k...] as [O/b, C/b, k..., b of C, b of O]. */
import type { Node } from '../../onnx/index.ts'
import type { Value } from '../emitter.ts'
import type { Operators } from '../operators/index.ts'
import { sizeOf } from '../shape.ts'
import { type BlockedValues, blockedDomain } from './values.ts'

/** The result is declared [O, C, k...]. */
export function blockedWeights(w: Value, values: BlockedValues): Value {
  const { ops, block, makePlain } = values
  const turned = turnedFrom(w, values)
  if (turned) return ops.reshape(turnedBlocks(ops, turned, block), w.dims)
  makePlain(w.name)
  return straightBlocks(ops, w, block)
}

/** [N, c, P] -> [N, P, c]: the engine's reordering of maps to blocks, with c one block, is a fast transpose. */
function innermost(
  ops: Operators,
  x: Value,
  [count, channels, rest]: readonly [number, number, number],
): Value {
  const map = ops.reshape(x, [count, channels, rest, 1])
  return ops.emit('ReorderInput', [map], {}, { dims: map.dims, type: x.type }, blockedDomain)
}

function straightBlocks(ops: Operators, w: Value, block: number): Value {
  const [outputs = 0, inputs = 0, ...kernel] = w.dims
  const taps = sizeOf(kernel)
  const byInput = innermost(ops, w, [outputs, inputs, taps]) // O, C/b, k, b of C
  const byOutput = innermost(ops, byInput, [outputs / block, block, inputs * taps])
  return ops.reshape(byOutput, w.dims)
}

/**
 * From weights [C, O, k...] with C and O in each other's place and the taps in reverse order:
 * [O/b, C/b, k..., b of C times b of O].
 */
export function turnedBlocks(ops: Operators, w: Value, block: number): Value {
  const [inputs = 0, outputs = 0, ...kernel] = w.dims
  const taps = sizeOf(kernel)
  const [inputBlocks, outputBlocks] = [inputs / block, outputs / block]
  const byInput = innermost(ops, w, [1, inputs, outputs * taps]) // C/b, O, k, b of C
  const byBoth = innermost(ops, byInput, [inputBlocks * outputBlocks, block, taps * block])
  const parted = ops.reshape(byBoth, [inputBlocks, outputBlocks, ...kernel, block * block])
  const space = kernel.map((_, axis) => axis + 2)
  return ops.reverse(ops.transpose(parted, [1, 0, ...space, kernel.length + 2]), space)
}

/** The weights that `w` is turned about from, as the gradient of a convolution by its input has them. */
function turnedFrom(w: Value, values: BlockedValues): Value | undefined {
  const last = values.producer(w.name)
  const swap = isReversal(last, w, values) ? values.producer(last?.inputs[0] ?? '') : undefined
  const perm = swap?.opType === 'Transpose' ? swap.attributes.perm : undefined
  const swapped =
    perm?.type === 'ints' && perm.value.every((from, axis) => from === (axis < 2 ? 1 - axis : axis))
  return swapped ? values.of(swap?.inputs[0] ?? '') : undefined
}

/** Whether the node reverses all axes but the first two. */
function isReversal(node: Node | undefined, { dims }: Value, { initializers }: BlockedValues): boolean {
  if (node?.opType !== 'Slice') return false
  const [starts, _ends, axes, steps] = node.inputs
    .slice(1)
    .map(name => [...(initializers.get(name)?.data ?? [])])
  const reversed = dims.flatMap((dim, axis) => (axis > 1 && dim !== 1 ? [axis] : []))
  const back = (values: readonly (number | bigint)[] = [0]) => values.every(value => Number(value) === -1)
  return `${axes}` === `${reversed}` && back(starts) && back(steps)
}
