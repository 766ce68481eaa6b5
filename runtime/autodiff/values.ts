/** Types and shapes of the values of a forward graph; every value that a gradient meets needs a static shape. */
import { CorunError } from '../core/errors.ts'
import { type Dimension, type ElementType, type Graph, removeUnused, type ValueInfo } from '../onnx/index.ts'
import type { Value } from './emitter.ts'

/** Looks a value up by name. @throws CorunError `not-trainable` when its type or shape is not known. */
export type Values = (name: string) => Value

/** Looks into `graph` as it is at the time of the call: what an emitter adds is found too. */
export function valuesOf(graph: Graph): Values {
  const ports = new Map([...graph.inputs, ...graph.outputs].map(info => [info.name, info]))
  return name => {
    const tensor = graph.initializers.get(name)
    const info: ValueInfo | undefined = tensor
      ? { name, ...tensor }
      : (graph.valueInfo.get(name) ?? ports.get(name))
    const dims = info?.dims && fixedDims(info.dims)
    if (!info?.type || !dims) {
      throw new CorunError('not-trainable', `the shape of "${name}" is not fixed: ${describe(info)}`)
    }
    return { name, dims, type: info.type }
  }
}

function fixedDims(dims: readonly Dimension[]): number[] | undefined {
  const fixed = dims.filter(dim => typeof dim === 'number')
  return fixed.length === dims.length ? fixed : undefined
}

function describe(info: ValueInfo | undefined): string {
  if (!info) return 'the model tells neither type nor shape'
  return `${info.type ?? 'unknown type'}[${info.dims?.map(dim => dim ?? '?').join(', ') ?? 'unknown rank'}]`
}

/** The graph with every value between inputs and outputs as an output, for an engine to tell their shapes. */
export function exposeValues(graph: Graph): Graph {
  const names = graph.nodes.flatMap(({ outputs }) => outputs.filter(name => name !== ''))
  return { ...graph, outputs: names.map(name => ({ name, type: undefined, dims: undefined })) }
}

/** What an engine says about a value of the exposed graph (onnxruntime's `session.outputMetadata`). */
export interface ValueShape {
  name: string
  type: string
  shape: readonly (number | string)[]
}

/** The graph with the engine's answer as its valueInfo, cut down to what the outputs need. */
export function withShapes(graph: Graph, shapes: readonly ValueShape[]): Graph {
  const valueInfo = new Map<string, ValueInfo>()
  for (const { name, type, shape } of shapes) {
    // The engine and Corun name element types alike; one that Corun does not read has no rule either.
    valueInfo.set(name, { name, type: type as ElementType, dims: [...shape] })
  }
  const outputs = graph.outputs.map(output => valueInfo.get(output.name) ?? output)
  const shaped = { ...graph, outputs, valueInfo, initializers: new Map(graph.initializers) }
  removeUnused(shaped)
  return shaped
}
