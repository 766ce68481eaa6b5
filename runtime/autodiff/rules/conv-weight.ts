/**
 * The gradient of a convolution by its weight, dW [O, C/g, k...], from x [N, C, ...] and dY [N, O, ...].
 * One formulation a case, each the fastest for it on the CPU.
 */
import type { Value } from '../emitter.ts'
import { dimAt, sizeOf } from '../shape.ts'
import { columnProduct } from './conv-weight-columns.ts'
import { correlation } from './conv-weight-correlation.ts'
import type { WeightGradientOptions } from './weight-gradient.ts'

/** Up to this many positions in a map one large product beats a product an image: measured at 14 x 14. */
const SMALL_MAP = 14 * 14

export function weightGradient(options: WeightGradientOptions): Value {
  const { window, portable } = options
  const unpadded = [...window.padBegin, ...window.padEnd].every(pad => pad === 0)
  if (window.group === 1 && sizeOf(window.kernel) === 1 && unpadded) return pointwise(options)
  return portable ? columnProduct(options) : correlation(options)
}

/** Kernel 1: a product over the positions, dW = dY X^T. */
function pointwise({ ops, x, dy, dims, window }: WeightGradientOptions): Value {
  const [batch = 0, outputs = 0, ...spatial] = dy.dims
  const inputs = dimAt(x.dims, 1)
  const taken = ops.slice(
    x,
    spatial.map((count, axis) => ({ axis: axis + 2, start: 0, count, step: dimAt(window.strides, axis) })),
  )
  const positions = sizeOf(spatial)
  const g = ops.reshape(dy, [batch, outputs, positions])
  const columns = ops.reshape(taken, [batch, inputs, positions])
  const product = () => {
    if (positions === 1) {
      return ops.gemm(ops.reshape(g, [batch, outputs]), ops.reshape(columns, [batch, inputs]), {
        transA: true,
      })
    }
    if (positions <= SMALL_MAP) {
      const rows = ops.reshape(ops.transpose(g, [1, 0, 2]), [outputs, batch * positions])
      const other = ops.reshape(ops.transpose(columns, [1, 0, 2]), [inputs, batch * positions])
      return ops.gemm(rows, other, { transB: true })
    }
    return ops.reduceSum(ops.matMul(g, ops.transpose(columns, [0, 2, 1])), [0], false)
  }
  return ops.reshape(product(), dims)
}
