/** Operators that pick elements by index: the gradient is added back where each came from. */
import type { Value } from '../emitter.ts'
import type { Rule, RuleTable } from '../rule.ts'
import { dimAt, normalAxis } from '../shape.ts'

/** X [a, d, b] by indices [n...] on axis 1 -> Y [a, n..., b]. */
const gather: Rule = at => [
  () => {
    const { dy, ops, x } = at
    const { dims } = x(0)
    const axis = normalAxis(at.int('axis', 0), dims.length)
    const fixed = at.constant(1) && at.integers(1)
    const [only] = fixed ?? []
    if (fixed?.length === 1 && only !== undefined) {
      // One element is a slice: zeros around it are cheaper than scattering.
      const start = only < 0 ? only + dimAt(dims, axis) : only
      const row = ops.reshape(
        dy,
        dims.map((dim, index) => (index === axis ? 1 : dim)),
      )
      const around = (count: number) => dims.map((_, index) => (index === axis ? count : 0))
      return ops.pad(row, around(start), around(dimAt(dims, axis) - start - 1))
    }
    const count = x(1).dims.reduce((product, dim) => product * dim, 1)
    const rowDims = dims.map((dim, index) => (index === axis ? count : dim))
    const column = ops.reshape(
      x(1),
      dims.map((_, index) => (index === axis ? count : 1)),
    )
    return ops.scatterAdd(dims, axis, ops.expand(column, rowDims), ops.reshape(dy, rowDims))
  },
]

const gatherElements: Rule = at => [
  () => {
    const { dims } = at.x(0)
    return at.ops.scatterAdd(dims, normalAxis(at.int('axis', 0), dims.length), at.x(1), at.dy)
  },
]

const gatherSlices: Rule = at => [
  () => {
    if (at.int('batch_dims', 0) !== 0) at.refuse('its batch_dims are not 0')
    return at.ops.scatterAddSlices(at.x(0).dims, at.x(1), at.dy)
  },
]

/** The values go back to where the indices say that they were. */
const topK: Rule = at => [
  () => {
    const { dims } = at.x(0)
    const indices: Value = at.demandOutput(1, { dims: at.y().dims, type: 'int64' })
    return at.ops.scatterAdd(dims, normalAxis(at.int('axis', -1), dims.length), indices, at.dy)
  },
]

export const indexSelectionRules: RuleTable = {
  Gather: gather,
  GatherElements: gatherElements,
  GatherND: gatherSlices,
  TopK: topK,
}
