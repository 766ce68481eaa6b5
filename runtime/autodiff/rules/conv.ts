/** Convolution: gradients by input and bias here, by weight in conv-weight.ts. */
import type { Value } from '../emitter.ts'
import type { ConvAttributes, Operators } from '../operators/index.ts'
import type { Rule, RuleTable } from '../rule.ts'
import { dimAt, range } from '../shape.ts'
import { weightGradient } from './conv-weight.ts'
import { reachOf, windowOf } from './window.ts'

/** X [N, C, ...], W [O, C/group, k...], B [O] -> Y [N, O, ...] */
const conv: Rule = at => {
  const { dy, ops, portable, x } = at
  const window = windowOf(at, x(1).dims.slice(2))
  return [
    () => inputGradient(ops, x(0), x(1), dy, window),
    () => weightGradient({ ops, x: x(0), dy, dims: x(1).dims, window, portable }),
    () => perChannel(ops, dy),
  ]
}

/**
 * With stride 1 a convolution of dY with the kernel reversed in space and its channels swapped, which runs
 * faster than the ConvTranspose that it equals (TRAINING.md: 34 against 49 ms); otherwise ConvTranspose.
 */
function inputGradient(ops: Operators, x: Value, w: Value, dy: Value, window: ConvAttributes): Value {
  const pads = window.kernel.map((_, axis) => reachOf(window, axis) - 1)
  const padBegin = pads.map((pad, axis) => pad - dimAt(window.padBegin, axis))
  const padEnd = pads.map((pad, axis) => pad - dimAt(window.padEnd, axis))
  const plain =
    window.strides.every(stride => stride === 1) && [...padBegin, ...padEnd].every(pad => pad >= 0)
  if (!plain) return ops.convTranspose(dy, w, window, x.dims.slice(2))
  return ops.conv(dy, swapChannels(ops, w, window), { ...window, padBegin, padEnd })
}

/** [O, C/g, k...] -> [C, O/g, k...] within each group, reversed in space. */
function swapChannels(ops: Operators, w: Value, { group, kernel }: ConvAttributes): Value {
  const space = kernel.map((_, axis) => axis + 2)
  if (group === 1) return ops.reverse(ops.transpose(w, [1, 0, ...space]), space)
  const outputs = dimAt(w.dims, 0) / group
  const inputs = dimAt(w.dims, 1)
  const grouped = ops.reshape(w, [group, outputs, inputs, ...kernel])
  const spatial = kernel.map((_, axis) => axis + 3)
  const swapped = ops.transpose(grouped, [0, 2, 1, ...spatial])
  const merged = ops.reshape(swapped, [group * inputs, outputs, ...kernel])
  return ops.reverse(merged, space)
}

/**
 * X [N, C, ...], W [C, O/group, k...], B [O] -> Y [N, O, ...]: the gradient of a convolution from Y to X by its
 * input, so its own gradients are that convolution, and that convolution's by its weight.
 */
const convTranspose: Rule = at => {
  const { dy, ops, portable, x } = at
  const window = windowOf(at, x(1).dims.slice(2), { dense: at.y(), windows: x(0) })
  return [
    () => {
      const product = ops.conv(dy, x(1), window)
      // An output_padding of a whole stride or more makes windows that nothing came from.
      return ops.slice(
        product,
        window.kernel.map((_, axis) => ({ axis: axis + 2, start: 0, count: dimAt(x(0).dims, axis + 2) })),
      )
    },
    () => weightGradient({ ops, x: dy, dy: x(0), dims: x(1).dims, window, portable }),
    () => perChannel(ops, dy),
  ]
}

/** [N, C, ...] -> [C]: the sum over everything else. */
function perChannel(ops: Operators, dy: Value): Value {
  const others = range(dy.dims.length).filter(axis => axis !== 1)
  return ops.reduceSum(dy, others, false)
}

export const convRules: RuleTable = { Conv: conv, ConvTranspose: convTranspose }
