/** Operators that sum products: reductions, matrix products, convolutions. */
import { int, ints } from '../../onnx/index.ts'
import type { Emitter, Value } from '../emitter.ts'
import { broadcastDims, dimAt, reducedDims } from '../shape.ts'

/** Of a convolution, one number a spatial axis except `group`. */
export interface ConvAttributes {
  kernel: readonly number[]
  strides: readonly number[]
  dilations: readonly number[]
  padBegin: readonly number[]
  padEnd: readonly number[]
  group: number
}

/** `reshape`: that of the layout operators. */
export function contractionOperators(
  { emit, constant }: Emitter,
  reshape: (x: Value, dims: readonly number[]) => Value,
) {
  /**
   * The engine's loops are fast when the last axis is reduced, or something follows it: axes of 1 behind it are put
   * aside. Measured: [2048, 512, 1, 1] over axis 1 takes 1.9 ms, [2048, 512] 0.08.
   */
  const reduce = (opType: string, x: Value, axes: readonly number[], keep: boolean): Value => {
    const wide = axes.filter(axis => x.dims[axis] !== 1)
    const dims = reducedDims(x.dims, axes, keep)
    if (wide.length === 0) return reshape(x, dims)
    const seen = Math.max(...wide) + 1
    if (seen === x.dims.length || x.dims.slice(seen).some(dim => dim !== 1))
      return reduceAxes(opType, x, axes, keep)
    return reshape(reduceAxes(opType, reshape(x, x.dims.slice(0, seen)), wide, false), dims)
  }
  const reduceAxes = (opType: string, x: Value, axes: readonly number[], keep: boolean): Value => {
    const list = constant('ints', {
      type: 'int64',
      dims: [axes.length],
      data: BigInt64Array.from(axes, BigInt),
    })
    return emit(
      opType,
      [x, list],
      { keepdims: int(keep ? 1 : 0) },
      {
        dims: reducedDims(x.dims, axes, keep),
        type: x.type,
      },
    )
  }

  return {
    reduceSum: (x: Value, axes: readonly number[], keep = true) => reduce('ReduceSum', x, axes, keep),
    reduceMax: (x: Value, axes: readonly number[], keep = true) => reduce('ReduceMax', x, axes, keep),
    /** Batched over leading axes, which broadcast; both operands have rank 2 or more. */
    matMul(a: Value, b: Value): Value {
      const batch = broadcastDims(a.dims.slice(0, -2), b.dims.slice(0, -2))
      return emit(
        'MatMul',
        [a, b],
        {},
        { dims: [...batch, dimAt(a.dims, -2), dimAt(b.dims, -1)], type: a.type },
      )
    },
    /** Rank 2. The engine transposes while it packs, which a Transpose beforehand does not. */
    gemm(a: Value, b: Value, { transA = false, transB = false, alpha = 1 } = {}): Value {
      return emit(
        'Gemm',
        [a, b],
        {
          ...(transA ? { transA: int(1) } : {}),
          ...(transB ? { transB: int(1) } : {}),
          ...(alpha === 1 ? {} : { alpha: { type: 'float' as const, value: alpha } }),
        },
        { dims: [dimAt(a.dims, transA ? 1 : 0), dimAt(b.dims, transB ? 0 : 1)], type: a.type },
      )
    },
    conv(x: Value, w: Value, c: ConvAttributes): Value {
      const spatial = c.kernel.map((kernel, axis) => {
        const padded = dimAt(x.dims, axis + 2) + dimAt(c.padBegin, axis) + dimAt(c.padEnd, axis)
        const reach = dimAt(c.dilations, axis) * (kernel - 1) + 1
        return Math.floor((padded - reach) / dimAt(c.strides, axis)) + 1
      })
      return emit('Conv', [x, w], convAttributes(c), {
        dims: [dimAt(x.dims, 0), dimAt(w.dims, 0), ...spatial],
        type: x.type,
      })
    },
    /** `spatial`: the sizes wanted; what the strides leave open is given as output_padding. */
    convTranspose(x: Value, w: Value, c: ConvAttributes, spatial: readonly number[]): Value {
      const outputPadding = spatial.map((size, axis) => {
        const reach = dimAt(c.dilations, axis) * (dimAt(c.kernel, axis) - 1) + 1
        const full = (dimAt(x.dims, axis + 2) - 1) * dimAt(c.strides, axis) + reach
        return size - (full - dimAt(c.padBegin, axis) - dimAt(c.padEnd, axis))
      })
      const attributes = { ...convAttributes(c), output_padding: ints(outputPadding) }
      return emit('ConvTranspose', [x, w], attributes, {
        dims: [dimAt(x.dims, 0), dimAt(w.dims, 1) * c.group, ...spatial],
        type: x.type,
      })
    },
  }
}

function convAttributes(c: ConvAttributes) {
  return {
    kernel_shape: ints(c.kernel),
    strides: ints(c.strides),
    dilations: ints(c.dilations),
    pads: ints([...c.padBegin, ...c.padEnd]),
    group: int(c.group),
  }
}
