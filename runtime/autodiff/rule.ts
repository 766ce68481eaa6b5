/** What a gradient rule is. The rules themselves are in rules/, one file a family; the walk is in gradients.ts. */
import type { Node, Tensor } from '../onnx/index.ts'
import type { Value } from './emitter.ts'
import type { Operators } from './operators/index.ts'

/** One node of the forward graph while it is being differentiated. */
export interface Differentiation {
  node: Node
  /** Gradient of the loss by the node's first output, of that output's shape. */
  dy: Value
  /** Gradients by all outputs; `undefined` where the loss does not depend on one. */
  dys: readonly (Value | undefined)[]
  /** The i-th input, which must be there. */
  x(index: number): Value
  /** The i-th output. */
  y(index?: number): Value
  has(index: number): boolean
  /** The i-th input's elements when they are fixed in the model: axes, shapes, pads. */
  constant(index: number): Tensor | undefined
  /** The same as numbers; refuses a model in which they are computed. */
  integers(index: number): number[] | undefined
  int(name: string, fallback: number): number
  float(name: string, fallback: number): number
  ints(name: string): number[] | undefined
  text(name: string, fallback: string): string
  /** Asks the forward node for an optional output that it does not have yet. */
  demandOutput(index: number, shape: Pick<Value, 'dims' | 'type'>): Value
  /** Whether to keep to operators that every execution provider has, where a faster one is the CPU's alone. */
  portable: boolean
  /** Refuses the node, saying why. */
  refuse(why: string): never
  ops: Operators
}

/**
 * The product of `dy` with the Jacobian by one input. Of the input's shape, or of one that broadcasts to or
 * from it: the walk sums over the axes along which the input was repeated, and repeats what is smaller.
 */
export type Pullback = () => Value

/** One pullback an input, made only when that input's gradient is needed; `undefined`: no gradient flows there. */
export type Rule = (at: Differentiation) => readonly (Pullback | undefined)[]

/** An operator whose derivative is zero wherever it exists, or whose output no gradient can pass: why. */
export interface NotDifferentiable {
  notDifferentiable: string
}

export type RuleTable = Readonly<Record<string, Rule | NotDifferentiable>>

export function notDifferentiable(why: string): NotDifferentiable {
  return { notDifferentiable: why }
}
