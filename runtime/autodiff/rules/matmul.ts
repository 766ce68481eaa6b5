/** Matrix products. */
import type { Value } from '../emitter.ts'
import type { Operators } from '../operators/index.ts'
import type { Rule, RuleTable } from '../rule.ts'
import { dimAt, range, sizeOf } from '../shape.ts'

/** Y = alpha A' B' + beta C, where ' is a transpose if the attribute says so. */
const gemm: Rule = at => {
  const { dy, ops, x } = at
  const transA = at.int('transA', 0) !== 0
  const transB = at.int('transB', 0) !== 0
  const alpha = at.float('alpha', 1)
  return [
    () =>
      transA
        ? ops.gemm(x(1), dy, { transA: transB, transB: true, alpha })
        : ops.gemm(dy, x(1), { transB: !transB, alpha }),
    () =>
      transB
        ? ops.gemm(dy, x(0), { transA: true, transB: transA, alpha })
        : ops.gemm(x(0), dy, { transA: !transA, alpha }),
    () => ops.scale(dy, at.float('beta', 1)),
  ]
}

function transposeLast(ops: Operators, x: Value): Value {
  const rank = x.dims.length
  return ops.transpose(x, [...range(rank - 2), rank - 1, rank - 2])
}

/** All axes but the last become one: [..., k] -> [m, k]. */
function flatten(ops: Operators, x: Value): Value {
  const last = dimAt(x.dims, -1)
  return ops.reshape(x, [sizeOf(x.dims) / last, last])
}

/** dA = dY B^T, dB = A^T dY. A vector is a matrix with one row (left) or one column (right). */
const matMul: Rule = ({ dy, ops, x }) => {
  const left = x(0)
  const right = x(1)
  const a = left.dims.length === 1 ? ops.reshape(left, [1, ...left.dims]) : left
  const b = right.dims.length === 1 ? ops.reshape(right, [...right.dims, 1]) : right
  const batch = dy.dims.slice(
    0,
    dy.dims.length - Number(left.dims.length > 1) - Number(right.dims.length > 1),
  )
  const g = ops.reshape(dy, [...batch, dimAt(a.dims, -2), dimAt(b.dims, -1)])
  // One right-hand matrix for all of the batch (a dense layer) makes it one large product.
  const shared = b.dims.length === 2
  return [
    () => {
      if (!shared) return ops.matMul(g, transposeLast(ops, b))
      return ops.reshape(ops.gemm(flatten(ops, g), b, { transB: true }), left.dims)
    },
    () => {
      if (!shared) return ops.matMul(transposeLast(ops, a), g)
      return ops.reshape(ops.gemm(flatten(ops, a), flatten(ops, g), { transA: true }), right.dims)
    },
  ]
}

export const matMulRules: RuleTable = { Gemm: gemm, MatMul: matMul }
