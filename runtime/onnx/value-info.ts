/** Types and shapes of values between the format and plain data. */
import { create } from '@bufbuild/protobuf'
import { codeOf, elementTypeOf } from './element-type.ts'
import type { Dimension, ValueInfo } from './graph.ts'
import {
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  type ValueInfoProto,
  ValueInfoProtoSchema,
} from './onnx_pb.ts'

export function decodeValueInfo(proto: ValueInfoProto): ValueInfo {
  const tensor = proto.type?.value.case === 'tensorType' ? proto.type.value.value : undefined
  return {
    name: proto.name,
    type: tensor && elementTypeOf(tensor.elemType),
    dims: tensor?.shape?.dim.map(({ value }): Dimension => {
      if (value.case === 'dimValue') return Number(value.value)
      return value.case === 'dimParam' && value.value !== '' ? value.value : null
    }),
  }
}

export function encodeValueInfo({ name, type, dims }: ValueInfo): ValueInfoProto {
  if (type === undefined) return create(ValueInfoProtoSchema, { name })
  const tensor = create(TypeProto_TensorSchema, { elemType: codeOf(type) })
  if (dims) tensor.shape = create(TensorShapeProtoSchema, { dim: dims.map(encodeDimension) })
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensor } }),
  })
}

function encodeDimension(dim: Dimension) {
  if (dim === null) return create(TensorShapeProto_DimensionSchema)
  return create(TensorShapeProto_DimensionSchema, {
    value:
      typeof dim === 'number' ? { case: 'dimValue', value: BigInt(dim) } : { case: 'dimParam', value: dim },
  })
}
