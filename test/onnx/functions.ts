/** Adds functions of its own to a model, as exporters write them. */
import { create } from '@bufbuild/protobuf'
import { attributeTypes } from '../../runtime/onnx/attribute.ts'
import { type Attribute, createNode, type Node, text, writeGraph } from '../../runtime/onnx/index.ts'
import { readModel, writeModel } from '../../runtime/onnx/model.ts'
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  FunctionProtoSchema,
  type GraphProto,
  OperatorSetIdProtoSchema,
} from '../../runtime/onnx/onnx_pb.ts'

export const DOMAIN = 'local'

export interface LocalFunction {
  name: string
  inputs: string[]
  outputs: string[]
  nodes: Node[]
  /** Attributes that a call may give, and their types. */
  attributes?: Record<string, keyof typeof attributeTypes>
  /** What some of them are when a call does not give them. */
  defaults?: Record<string, Attribute>
  /** Of the standard operators; default 18. */
  opset?: number
}

export function call(
  name: string,
  inputs: string[],
  outputs: string[],
  attributes: Record<string, Attribute> = {},
): Node {
  return { ...createNode(name, inputs, outputs, attributes), domain: DOMAIN }
}

/** As a node's attribute: whatever the call gives for the function's attribute `name`. */
export const given = (name: string): Attribute => text(`@${name}`)

/** As an attribute of If: what the nodes make of the values around them. */
export const branch = (nodes: Node[], output: string): Attribute => ({
  type: 'graphs',
  single: true,
  value: [graphProtoOf(nodes, output)],
})

export function addFunctions(bytes: Uint8Array, functions: readonly LocalFunction[]): Uint8Array {
  const model = readModel(bytes)
  model.functions = functions.map(functionProtoOf)
  model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: DOMAIN, version: 1n }))
  return writeModel(model)
}

function functionProtoOf(own: LocalFunction): FunctionProto {
  const { name, inputs, outputs, nodes, attributes = {}, defaults = {}, opset = 18 } = own
  const node = graphProtoOf(nodes).node
  for (const each of node) each.attribute = each.attribute.map(attribute => referring(attribute, attributes))
  const [carrier] = graphProtoOf([createNode('Carrier', [], ['y'], defaults)]).node
  return create(FunctionProtoSchema, {
    domain: DOMAIN,
    name,
    input: inputs,
    output: outputs,
    attribute: Object.keys(attributes).filter(each => !(each in defaults)),
    attributeProto: carrier?.attribute ?? [],
    node,
    opsetImport: [
      create(OperatorSetIdProtoSchema, { domain: '', version: BigInt(opset) }),
      create(OperatorSetIdProtoSchema, { domain: DOMAIN, version: 1n }),
    ],
  })
}

function referring(attribute: AttributeProto, types: LocalFunction['attributes'] = {}): AttributeProto {
  const value = new TextDecoder().decode(attribute.s)
  const type = types[value.slice(1)]
  if (!value.startsWith('@') || !type) return attribute
  const { name } = attribute
  return create(AttributeProtoSchema, { name, type: attributeTypes[type], refAttrName: value.slice(1) })
}

function graphProtoOf(nodes: Node[], output = 'y'): GraphProto {
  const outputs = [{ name: output, type: 'float32' as const, dims: undefined }]
  const none = { inputs: [], initializers: new Map(), valueInfo: new Map(), opsets: new Map(), irVersion: 9 }
  return readModel(writeGraph({ name: 'body', outputs, nodes, ...none })).graph
}
