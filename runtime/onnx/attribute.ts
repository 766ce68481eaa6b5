/** Attributes of nodes between the format and plain data. */
import { create } from '@bufbuild/protobuf'
import { CorunError } from '../core/errors.ts'
import type { Attribute } from './graph.ts'
import { type AttributeProto, AttributeProtoSchema, type NodeProto } from './onnx_pb.ts'
import { decodeTensor, encodeTensor, toInt64 } from './tensor.ts'

/** AttributeProto.AttributeType in onnx.proto. */
export const attributeTypes = {
  float: 1,
  int: 2,
  string: 3,
  tensor: 4,
  graph: 5,
  floats: 6,
  ints: 7,
  strings: 8,
  graphs: 10,
} as const

export function decodeAttribute(proto: AttributeProto, owner: NodeProto): Attribute {
  switch (proto.type) {
    case attributeTypes.float:
      return { type: 'float', value: proto.f }
    case attributeTypes.int:
      return { type: 'int', value: Number(proto.i) }
    case attributeTypes.string:
      return { type: 'string', value: decodeText(proto.s) }
    case attributeTypes.tensor:
      if (!proto.t) break
      return { type: 'tensor', value: decodeTensor(proto.t, owner.output[0]) }
    case attributeTypes.floats:
      return { type: 'floats', value: [...proto.floats] }
    case attributeTypes.ints:
      return { type: 'ints', value: proto.ints.map(Number) }
    case attributeTypes.strings:
      return { type: 'strings', value: proto.strings.map(decodeText) }
    case attributeTypes.graph:
      if (!proto.g) break
      return { type: 'graphs', single: true, value: [proto.g] }
    case attributeTypes.graphs:
      return { type: 'graphs', single: false, value: [...proto.graphs] }
  }
  throw new CorunError(
    'invalid-model',
    `attribute "${proto.name}" of ${owner.opType} "${owner.name}" has type ${proto.type}, which Corun does not read`,
  )
}

export function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  return create(AttributeProtoSchema, { name, ...fieldsOf(attribute) })
}

function fieldsOf(attribute: Attribute) {
  switch (attribute.type) {
    case 'float':
      return { type: attributeTypes.float, f: attribute.value }
    case 'int':
      return { type: attributeTypes.int, i: toInt64(attribute.value) }
    case 'string':
      return { type: attributeTypes.string, s: encodeText(attribute.value) }
    case 'tensor':
      return { type: attributeTypes.tensor, t: encodeTensor('', attribute.value) }
    case 'floats':
      return { type: attributeTypes.floats, floats: attribute.value }
    case 'ints':
      return { type: attributeTypes.ints, ints: attribute.value.map(toInt64) }
    case 'strings':
      return { type: attributeTypes.strings, strings: attribute.value.map(encodeText) }
    case 'graphs': {
      const [first] = attribute.value
      return attribute.single && first
        ? { type: attributeTypes.graph, g: first }
        : { type: attributeTypes.graphs, graphs: attribute.value }
    }
  }
}

const decodeText = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
const encodeText = (value: string): Uint8Array => new TextEncoder().encode(value)
