/**
 * Tensors between the format and memory. The format has two storage forms: `raw_data` (little-endian bytes)
 * and one typed list a group of element types; both are read, `raw_data` is written.
 */
import { create } from '@bufbuild/protobuf'
import { CorunError } from '../core/errors.ts'
import { arrayOver, bytesPerElement, codeOf, type ElementType, elementTypeOf } from './element-type.ts'
import { halfToFloat } from './float16.ts'
import type { Tensor } from './graph.ts'
import { type TensorProto, TensorProtoSchema } from './onnx_pb.ts'

/** TensorProto.DataLocation.EXTERNAL: the elements lie in a file beside the model (external-data.ts). */
export const EXTERNAL = 1

export function elementCount(dims: readonly number[]): number {
  return dims.reduce((product, dim) => product * dim, 1)
}

/** Reads a tensor whatever its storage form; `owner` names it in errors. */
export function decodeTensor(proto: TensorProto, owner = proto.name): Tensor {
  const type = elementTypeOf(proto.dataType)
  if (type === undefined) {
    throw new CorunError(
      'not-trainable',
      `tensor "${owner}" has element type ${proto.dataType}, which Corun does not read`,
    )
  }
  if (proto.dataLocation === EXTERNAL) {
    throw new CorunError(
      'invalid-model',
      `tensor "${owner}" lies in an external file: put it inside first (embedExternalData)`,
    )
  }
  const dims = proto.dims.map(Number)
  const buffer = proto.rawData.length > 0 ? copyOf(proto.rawData) : typedBytes(proto, type)
  const expected = elementCount(dims) * bytesPerElement(type)
  if (buffer.byteLength !== expected) {
    throw new CorunError(
      'invalid-model',
      `tensor "${owner}" of ${type}[${dims.join(', ')}] needs ${expected} bytes and has ${buffer.byteLength}`,
    )
  }
  return { type, dims, data: arrayOver(type, buffer) }
}

export function encodeTensor(name: string, tensor: Tensor): TensorProto {
  return create(TensorProtoSchema, {
    name,
    dims: tensor.dims.map(BigInt),
    dataType: codeOf(tensor.type),
    rawData: bytesOf(tensor),
  })
}

/** The little-endian bytes of a tensor's elements. Every platform that onnxruntime-node runs on is little-endian. */
export function bytesOf({ data }: Pick<Tensor, 'data'>): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
}

/** The elements of a floating-point tensor as float32 (a copy unless it is float32 already). */
export function floatsOf(tensor: Tensor): Float32Array {
  const { data, type } = tensor
  if (data instanceof Float32Array) return data
  if (data instanceof Float64Array) return Float32Array.from(data)
  if (type === 'float16' && data instanceof Uint16Array) return Float32Array.from(data, halfToFloat)
  if (type === 'bfloat16' && data instanceof Uint16Array) {
    return new Float32Array(Uint32Array.from(data, bits => bits << 16).buffer)
  }
  throw new TypeError(`a tensor of ${type} has no float elements`)
}

/** The elements of an integer tensor as numbers: axes, shapes, pads. */
export function integersOf(tensor: Tensor): number[] {
  return Array.from(tensor.data as Iterable<number | bigint>, Number) // a union of arrays has no common iterator
}

export function floatTensor(
  dims: readonly number[],
  values: Iterable<number>,
  type: ElementType = 'float32',
): Tensor {
  const data = type === 'float64' ? Float64Array.from(values) : Float32Array.from(values)
  return { type: type === 'float64' ? 'float64' : 'float32', dims: [...dims], data }
}

/** int64 [values.length], the form in which operators take axes, shapes and pads. */
export function int64Tensor(values: readonly number[]): Tensor {
  return { type: 'int64', dims: [values.length], data: BigInt64Array.from(values, toInt64) }
}

const INT64_MAX = 2n ** 63n - 1n

/** Saturates: "to the end" in Slice is written as the largest int64, which no number holds exactly. */
export function toInt64(value: number): bigint {
  const exact = BigInt(value)
  return exact > INT64_MAX ? INT64_MAX : exact
}

function copyOf(bytes: Uint8Array): ArrayBuffer {
  const buffer = new ArrayBuffer(bytes.length) // protobuf's view may start at any offset, a typed array may not
  new Uint8Array(buffer).set(bytes)
  return buffer
}

/** Which typed list holds which element type is the format's definition (comments of TensorProto in onnx.proto). */
function typedBytes(proto: TensorProto, type: ElementType): ArrayBuffer {
  switch (type) {
    case 'float32':
      return Float32Array.from(proto.floatData).buffer
    case 'float64':
      return Float64Array.from(proto.doubleData).buffer
    case 'int64':
      return BigInt64Array.from(proto.int64Data).buffer
    case 'uint64':
      return BigUint64Array.from(proto.uint64Data).buffer
    case 'uint32':
      return Uint32Array.from(proto.uint64Data, Number).buffer
    case 'int32':
      return Int32Array.from(proto.int32Data).buffer
    case 'int16':
      return Int16Array.from(proto.int32Data).buffer
    case 'int8':
      return Int8Array.from(proto.int32Data).buffer
    case 'uint8':
    case 'bool':
      return Uint8Array.from(proto.int32Data).buffer
    case 'uint16':
    case 'float16':
    case 'bfloat16':
      return Uint16Array.from(proto.int32Data).buffer
  }
}
