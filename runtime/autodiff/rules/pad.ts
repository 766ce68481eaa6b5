/** Pad: zeros get no gradient; copies of the edge, of a mirror image or of the other side give it to their origin. */
import type { Differentiation, Rule, RuleTable } from '../rule.ts'
import { dimAt, normalAxis, range } from '../shape.ts'
import { picking, transposedAlong } from './axis-map.ts'

/** Position in an axis of `size` that lies at `index`, which may be outside. */
const origins: Record<string, (index: number, size: number) => number> = {
  edge: (index, size) => Math.min(Math.max(index, 0), size - 1),
  /** The edge itself is not repeated. */
  reflect: (index, size) => {
    if (size === 1) return 0
    const place = modulo(index, 2 * size - 2)
    return place < size ? place : 2 * size - 2 - place
  },
  wrap: (index, size) => modulo(index, size),
}

const modulo = (index: number, size: number): number => ((index % size) + size) % size

/** Counts before and after each padded axis; below zero they take away. */
function countsOf(at: Differentiation) {
  const rank = at.x(0).dims.length
  const pads = at.integers(1) ?? []
  const axes = (at.has(3) ? at.integers(3) : undefined) ?? range(rank)
  return axes.map((axis, index) => ({
    axis: normalAxis(axis, rank),
    begin: pads[index] ?? 0,
    end: pads[index + axes.length] ?? 0,
  }))
}

const pad: Rule = at => [
  () => {
    const { dy, ops, x } = at
    const { dims } = x(0)
    const mode = at.text('mode', 'constant')
    const counts = countsOf(at)
    if (mode === 'constant') {
      const kept = counts.map(({ axis, begin, end }) => {
        const count = dimAt(dims, axis) + Math.min(begin, 0) + Math.min(end, 0)
        return { axis, start: Math.max(begin, 0), count }
      })
      const lost = (side: 'begin' | 'end') =>
        dims.map((_, axis) => Math.max(-(counts.find(count => count.axis === axis)?.[side] ?? 0), 0))
      return ops.pad(ops.slice(dy, kept), lost('begin'), lost('end'))
    }
    const origin = origins[mode] ?? at.refuse(`its mode is ${mode}`)
    return counts.reduce((gradient, { axis, begin, end }) => {
      if (begin === 0 && end === 0) return gradient
      const size = dimAt(dims, axis)
      const map = picking(size + begin + end, output => origin(output - begin, size))
      return transposedAlong(ops, gradient, axis, size, map)
    }, dy)
  },
]

export const padRules: RuleTable = { Pad: pad }
