/** The operators that rules are written in: standard ONNX, one method each, shapes worked out on the way. */
import type { Emitter } from '../emitter.ts'
import { contractionOperators } from './contraction.ts'
import { elementwiseOperators } from './elementwise.ts'
import { layoutOperators } from './layout.ts'

export type { ConvAttributes } from './contraction.ts'
export type { SliceRange } from './layout.ts'

export function createOperators(emitter: Emitter) {
  const layout = layoutOperators(emitter)
  return {
    /** For an operator that one rule alone uses. */
    emit: emitter.emit,
    ...elementwiseOperators(emitter),
    ...layout,
    ...contractionOperators(emitter, layout.reshape),
  }
}

export type Operators = ReturnType<typeof createOperators>
