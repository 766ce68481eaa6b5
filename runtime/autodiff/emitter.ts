/**
 * Collects the nodes of a graph under construction. Every value carries its shape and element type.
 * A node that is asked for twice is made once, so a rule may write the same subexpression in two places.
 */
import {
  type Attribute,
  createNamer,
  type ElementType,
  type Graph,
  type Node,
  type Tensor,
} from '../onnx/index.ts'

/** A tensor in the graph: what emitted nodes take and give. */
export interface Value {
  name: string
  dims: readonly number[]
  type: ElementType
}

export interface OutputShape {
  dims: readonly number[]
  type: ElementType
}

export interface Emitter {
  /** Adds an operator with one output, a standard one by default. `undefined` is an optional input left out. */
  emit(
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes: Record<string, Attribute>,
    output: OutputShape,
    domain?: string,
  ): Value
  /** The same with several outputs. */
  emitMany(
    opType: string,
    inputs: readonly (Value | undefined)[],
    attributes: Record<string, Attribute>,
    outputs: readonly OutputShape[],
    domain?: string,
  ): Value[]
  constant(stem: string, tensor: Tensor): Value
  /** A fresh name for a value that the caller makes itself. */
  name(stem: string): string
  /** A fresh value that the caller makes itself. */
  declare(stem: string, shape: OutputShape): Value
}

/** Constants of up to this many elements are made once. */
const COMPARED = 65_536

/** In place: nodes go to the end of `graph.nodes`, shapes to its valueInfo, constants to its initializers. */
export function createEmitter(graph: Graph): Emitter {
  const name = createNamer(graph)
  const made = new Map<string, Value[]>()

  const declare: Emitter['declare'] = (stem, { dims, type }) => {
    const value: Value = { name: name(stem), dims, type }
    graph.valueInfo.set(value.name, { name: value.name, type, dims: [...dims] })
    return value
  }
  const emitMany: Emitter['emitMany'] = (opType, inputs, attributes, outputs, domain = '') => {
    const names = inputs.map(input => input?.name ?? '')
    const key = JSON.stringify([domain, opType, names, attributes, outputs.length])
    const known = made.get(key)
    if (known) return known
    const values = outputs.map(shape => declare(`train/${opType}`, shape))
    const node: Node = {
      opType,
      domain,
      name: values[0]?.name ?? '',
      inputs: names,
      outputs: values.map(value => value.name),
      attributes,
    }
    graph.nodes.push(node)
    made.set(key, values)
    return values
  }

  const constants = new Map<string, Value>()
  return {
    name,
    declare,
    emitMany,
    emit(opType, inputs, attributes, output, domain) {
      const [value] = emitMany(opType, inputs, attributes, [output], domain)
      if (!value) throw new Error(`${opType} made no value`)
      return value
    },
    constant(stem, tensor) {
      // Axes, shapes, scalars and selections repeat a lot; weights are not worth comparing.
      const key = tensor.data.length > COMPARED ? undefined : `${tensor.type}[${tensor.dims}]${tensor.data}`
      const known = key === undefined ? undefined : constants.get(key)
      if (known) return known
      const value: Value = { name: name(`train/${stem}`), dims: tensor.dims, type: tensor.type }
      graph.initializers.set(value.name, tensor)
      if (key !== undefined) constants.set(key, value)
      return value
    },
  }
}
