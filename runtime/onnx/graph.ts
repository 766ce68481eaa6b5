/**
 * An ONNX graph as plain data: what reading yields and what rewriting works on.
 * Holds types and the smallest constructors; protobuf stays in model.ts.
 */
import type { ElementArray, ElementType } from './element-type.ts'
import type { GraphProto } from './onnx_pb.ts'

/** A number is fixed, a string is a symbol of the model's author, `null` is not known. */
export type Dimension = number | string | null

export interface Tensor {
  type: ElementType
  dims: number[]
  data: ElementArray
}

export interface ValueInfo {
  name: string
  /** `undefined` for what is no tensor of a type that Corun reads. */
  type: ElementType | undefined
  /** `undefined` when not even the rank is known. */
  dims: Dimension[] | undefined
}

export type Attribute =
  | { type: 'float'; value: number }
  | { type: 'int'; value: number }
  | { type: 'string'; value: string }
  | { type: 'tensor'; value: Tensor }
  | { type: 'floats'; value: number[] }
  | { type: 'ints'; value: number[] }
  | { type: 'strings'; value: string[] }
  /** The bodies of If, Loop and Scan: carried along, never looked into except for the names they use. */
  | { type: 'graphs'; single: boolean; value: GraphProto[] }

export interface Node {
  opType: string
  /** Empty for the standard operators. */
  domain: string
  name: string
  /** An empty string is an optional input that is left out. */
  inputs: string[]
  outputs: string[]
  attributes: Record<string, Attribute>
}

export interface Graph {
  name: string
  /** Without the initializers that IR version 3 lists among the inputs. */
  inputs: ValueInfo[]
  outputs: ValueInfo[]
  /** In an order in which every value is made before it is used. */
  nodes: Node[]
  initializers: Map<string, Tensor>
  /** Types and shapes of values between inputs and outputs, as far as the model tells them. */
  valueInfo: Map<string, ValueInfo>
  /** Operator set version by domain; the empty domain is the standard one. */
  opsets: Map<string, number>
  irVersion: number
}

export const int = (value: number): Attribute => ({ type: 'int', value })
export const ints = (value: readonly number[]): Attribute => ({ type: 'ints', value: [...value] })
export const float = (value: number): Attribute => ({ type: 'float', value })
export const text = (value: string): Attribute => ({ type: 'string', value })

export function createNode(
  opType: string,
  inputs: string[],
  outputs: string[],
  attributes: Record<string, Attribute> = {},
  name = outputs[0] ?? '',
): Node {
  return { opType, domain: '', name, inputs, outputs, attributes }
}

/** A copy whose lists can be changed without changing `graph`; tensors' data is shared. */
export function copyGraph(graph: Graph): Graph {
  return {
    ...graph,
    inputs: [...graph.inputs],
    outputs: [...graph.outputs],
    nodes: graph.nodes.map(node => ({
      ...node,
      inputs: [...node.inputs],
      outputs: [...node.outputs],
      attributes: { ...node.attributes },
    })),
    initializers: new Map(graph.initializers),
    valueInfo: new Map(graph.valueInfo),
    opsets: new Map(graph.opsets),
  }
}
