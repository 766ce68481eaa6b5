/** What every formulation of a convolution's gradient by its weight starts from. */
import type { Value } from '../emitter.ts'
import type { ConvAttributes, Operators } from '../operators/index.ts'

export interface WeightGradientOptions {
  ops: Operators
  x: Value
  dy: Value
  /** Of the weight: [O, C/g, k...]. */
  dims: readonly number[]
  window: ConvAttributes
  /** See Differentiation. */
  portable: boolean
}
