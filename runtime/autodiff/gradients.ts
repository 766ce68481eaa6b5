/**
 * Reverse-mode differentiation: one walk from the loss back to the wanted tensors, over the nodes between
 * them only. What each operator does is in rules/; frozen tensors end a path, so nothing is made for them.
 */
import type { Node } from '../onnx/index.ts'
import { differentiationOf, type Workbench } from './differentiation.ts'
import type { Value } from './emitter.ts'
import type { Operators } from './operators/index.ts'
import { findPath, refuseMissing } from './path.ts'
import { stretchedAxes } from './shape.ts'

export interface GradientRequest {
  /** The forward nodes, in order. */
  nodes: readonly Node[]
  /** Gradient of the loss by some values of the graph, where the walk starts. */
  seeds: ReadonlyMap<string, Value>
  /** The tensors to differentiate by. */
  wanted: ReadonlySet<string>
  /** Parameter names block by block, the head last: what a refusal advises from. */
  blocks?: readonly (readonly string[])[]
}

/**
 * Appends the backward nodes to the workbench's graph.
 * @returns the gradient of every wanted tensor that the seeds depend on, of that tensor's shape
 * @throws CorunError `not-trainable` naming every operator on a path that has no rule, before anything is built
 */
export function gradientsOf(
  { nodes, seeds, wanted, blocks }: GradientRequest,
  bench: Workbench,
): Map<string, Value> {
  const request = { nodes, from: [...seeds.keys()], wanted }
  refuseMissing(request, blocks)
  const { ops, values } = bench
  const sums = new Map<string, Value>(seeds)
  for (const { node, rule, needed } of findPath(request).path.reverse()) {
    const dys = node.outputs.map(name => fitted(ops, sums.get(name), () => values(name)))
    if (dys.every(gradient => gradient === undefined)) continue
    const pullbacks = rule(differentiationOf(node, dys, bench))
    for (const [index, name] of node.inputs.entries()) {
      const pullback = pullbacks[index]
      if (!pullback || !needed.has(name)) continue
      const gradient = summedTo(ops, pullback(), values(name))
      const known = sums.get(name)
      sums.set(name, known ? ops.add(known, gradient) : gradient)
    }
  }
  const gradients = new Map<string, Value>()
  for (const name of wanted) {
    const gradient = fitted(ops, sums.get(name), () => values(name))
    if (gradient) gradients.set(name, gradient)
  }
  return gradients
}

/** The one place that undoes broadcasting: sums over the axes along which `target` was repeated. */
function summedTo(ops: Operators, gradient: Value, target: Value): Value {
  if (gradient.dims.length < target.dims.length) return gradient
  const axes = stretchedAxes(gradient.dims, target.dims)
  if (axes.length === 0) return gradient
  const added = gradient.dims.length - target.dims.length
  const sum = ops.reduceSum(gradient, axes, true)
  return added === 0 ? sum : ops.reshape(sum, sum.dims.slice(added))
}

/** The one place that repeats a smaller gradient: as late as possible, since sums broadcast by themselves. */
function fitted(ops: Operators, gradient: Value | undefined, target: () => Value): Value | undefined {
  return gradient && ops.expand(gradient, target().dims)
}
