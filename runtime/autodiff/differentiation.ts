/** Makes the view of a forward node that gradient rules work on (see rule.ts). */
import { CorunError } from '../core/errors.ts'
import { type Attribute, type Graph, integersOf, type Node } from '../onnx/index.ts'
import type { Emitter, Value } from './emitter.ts'
import type { Operators } from './operators/index.ts'
import type { Differentiation } from './rule.ts'
import type { Values } from './values.ts'

export interface Workbench {
  /** Grows while gradients are built. */
  graph: Graph
  emitter: Emitter
  ops: Operators
  values: Values
  /** See Differentiation; default false. */
  portable?: boolean
}

export function differentiationOf(
  node: Node,
  dys: readonly (Value | undefined)[],
  { graph, emitter, ops, values, portable = false }: Workbench,
): Differentiation {
  const refuse = (why: string): never => {
    throw new CorunError(
      'not-trainable',
      `${node.opType} "${node.name || node.outputs[0]}" cannot be differentiated: ${why}`,
    )
  }
  const named = (names: readonly string[], index: number, what: string) =>
    names[index] ? values(names[index]) : refuse(`it has no ${what} ${index}`)
  const attribute = <Type extends Attribute['type']>(name: string, type: Type) => {
    const found = node.attributes[name]
    if (found === undefined) return undefined
    if (found.type !== type) return refuse(`its attribute ${name} is of type ${found.type}, not ${type}`)
    return found as Extract<Attribute, { type: Type }> // narrowing by a type parameter is beyond the compiler
  }
  return {
    node,
    dys,
    ops,
    portable,
    get dy() {
      const first = named(node.outputs, 0, 'output')
      return dys[0] ?? ops.expand(ops.scalar(0, first), first.dims)
    },
    refuse,
    x: index => named(node.inputs, index, 'input'),
    y: (index = 0) => named(node.outputs, index, 'output'),
    has: index => (node.inputs[index] ?? '') !== '',
    constant: index => graph.initializers.get(node.inputs[index] ?? ''),
    integers: index => {
      if (!node.inputs[index]) return undefined
      const tensor = graph.initializers.get(node.inputs[index])
      return tensor ? integersOf(tensor) : refuse(`its input ${index} is computed, not constant`)
    },
    int: (name, fallback) => attribute(name, 'int')?.value ?? fallback,
    float: (name, fallback) => attribute(name, 'float')?.value ?? fallback,
    ints: name => attribute(name, 'ints')?.value,
    text: (name, fallback) => attribute(name, 'string')?.value ?? fallback,
    demandOutput(index, { dims, type }) {
      while (node.outputs.length <= index) node.outputs.push('')
      const name = node.outputs[index] || emitter.name(`train/${node.opType}/${index}`)
      node.outputs[index] = name
      return { name, dims, type }
    },
  }
}
