/**
 * Reads and writes ONNX files: bytes <-> protobuf message <-> plain graph.
 * The message keeps every field, known to Corun or not; the plain graph is for building new models.
 */
import { create, fromBinary, isFieldSet, toBinary } from '@bufbuild/protobuf'
import { CorunError } from '../core/errors.ts'
import { decodeAttribute, encodeAttribute } from './attribute.ts'
import type { Graph, Node } from './graph.ts'
import { inlineFunctions } from './inline-functions.ts'
import {
  type GraphProto,
  GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
} from './onnx_pb.ts'
import { decodeTensor, encodeTensor } from './tensor.ts'
import { decodeValueInfo, encodeValueInfo } from './value-info.ts'

/** A model that certainly has a graph. */
export type Model = ModelProto & { graph: GraphProto }

/** @throws CorunError `invalid-model` when the bytes are no ONNX model, or only the beginning of one. */
export function readModel(bytes: Uint8Array): Model {
  let model: ModelProto
  try {
    model = fromBinary(ModelProtoSchema, bytes)
  } catch (cause) {
    throw new CorunError(
      'invalid-model',
      `${bytes.length} bytes are not an ONNX model, or a truncated one: ${cause instanceof Error ? cause.message : cause}`,
      { cause },
    )
  }
  const { graph } = model
  // Protobuf reads many arbitrary bytes as unknown fields without complaint: a model says its IR version.
  if (!isFieldSet(model, ModelProtoSchema.field.irVersion)) {
    throw new CorunError('invalid-model', `${bytes.length} bytes are not an ONNX model: no ir_version`)
  }
  if (!graph) throw new CorunError('invalid-model', 'the model has no graph')
  if (graph.output.length === 0)
    throw new CorunError('invalid-model', 'the model has no outputs, or is truncated')
  return Object.assign(model, { graph })
}

export function writeModel(model: ModelProto): Uint8Array {
  return toBinary(ModelProtoSchema, model)
}

export function readGraph(bytes: Uint8Array): Graph {
  return graphOf(readModel(bytes))
}

/** With the bodies of the model's own functions in place of their calls, in `model` too. */
export function graphOf(model: Model): Graph {
  inlineFunctions(model)
  const { graph } = model
  const initializers = new Map(graph.initializer.map(tensor => [tensor.name, decodeTensor(tensor)]))
  return {
    name: graph.name,
    inputs: graph.input.map(decodeValueInfo).filter(({ name }) => !initializers.has(name)),
    outputs: graph.output.map(decodeValueInfo),
    nodes: graph.node.map(decodeNode),
    initializers,
    valueInfo: new Map(graph.valueInfo.map(info => [info.name, decodeValueInfo(info)])),
    opsets: new Map(
      model.opsetImport.map(({ domain, version }) => [domain === 'ai.onnx' ? '' : domain, Number(version)]),
    ),
    irVersion: Number(model.irVersion),
  }
}

export function writeGraph(graph: Graph): Uint8Array {
  return writeModel(
    create(ModelProtoSchema, {
      irVersion: BigInt(graph.irVersion),
      producerName: 'corun',
      opsetImport: [...graph.opsets].map(([domain, version]) =>
        create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
      ),
      graph: create(GraphProtoSchema, {
        name: graph.name,
        input: graph.inputs.map(encodeValueInfo),
        output: graph.outputs.map(encodeValueInfo),
        valueInfo: [...graph.valueInfo.values()].map(encodeValueInfo),
        node: graph.nodes.map(encodeNode),
        initializer: [...graph.initializers].map(([name, tensor]) => encodeTensor(name, tensor)),
      }),
    }),
  )
}

function decodeNode(proto: NodeProto): Node {
  return {
    opType: proto.opType,
    domain: proto.domain === 'ai.onnx' ? '' : proto.domain,
    name: proto.name,
    inputs: [...proto.input],
    outputs: [...proto.output],
    attributes: Object.fromEntries(
      proto.attribute.map(attribute => [attribute.name, decodeAttribute(attribute, proto)]),
    ),
  }
}

export function encodeNode(node: Node): NodeProto {
  return create(NodeProtoSchema, {
    opType: node.opType,
    domain: node.domain,
    name: node.name,
    input: node.inputs,
    output: node.outputs,
    attribute: Object.entries(node.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
  })
}
