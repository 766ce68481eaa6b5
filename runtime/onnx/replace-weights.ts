/** Puts trained weights back into a model file and changes nothing else in it. */
import { clearField, create } from '@bufbuild/protobuf'
import { CorunError } from '../core/errors.ts'
import { attributeTypes } from './attribute.ts'
import { codeOf } from './element-type.ts'
import { forgetPlace } from './external-data.ts'
import type { Tensor } from './graph.ts'
import { inlineFunctions } from './inline-functions.ts'
import { type Model, readModel, writeModel } from './model.ts'
import {
  AttributeProtoSchema,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  TensorProtoSchema,
} from './onnx_pb.ts'
import { bytesOf, elementCount, encodeTensor } from './tensor.ts'

/**
 * @param weights float32 elements by parameter name (see parametersOf), row-major, as many as the tensor has
 * @returns the bytes of a model that differs from `bytes` in these tensors' data alone. Two exceptions: a
 *   parameter that was an `Identity` of another tensor becomes a Constant, since it now has data of its own; and where
 *   one lies in the body of one of the model's functions, the functions are inlined.
 * @throws CorunError `invalid-model` when a name is no float32 tensor of the model, or a size does not fit
 */
export function replaceWeights(bytes: Uint8Array, weights: ReadonlyMap<string, Float32Array>): Uint8Array {
  const model = readModel(bytes)
  const { tensors, identities } = placesOf(model, [...weights.keys()])
  for (const [name, data] of weights) {
    const tensor = tensors.get(name)
    const identity = identities.get(name)
    if (tensor) replaceData(name, tensor, data)
    else if (identity) becomeConstant(name, identity, tensorBehind(name, identities, tensors), data)
    else throw new CorunError('invalid-model', `the model has no tensor "${name}" to put weights into`)
  }
  return writeModel(model)
}

/**
 * Puts other tensors, whatever their shapes, in the place of parameters and constants.
 * @param edit changes the rest of the graph
 * @throws CorunError `invalid-model` when a name is no tensor of the model
 */
export function replaceTensors(
  bytes: Uint8Array,
  replacements: ReadonlyMap<string, Tensor>,
  edit: (graph: GraphProto) => void,
): Uint8Array {
  const model = readModel(bytes)
  const { tensors, identities } = placesOf(model, [...replacements.keys()])
  for (const [name, replacement] of replacements) {
    const tensor = tensors.get(name)
    const identity = identities.get(name)
    if (tensor) {
      tensor.dims = replacement.dims.map(BigInt)
      putData(tensor, replacement)
    } else if (identity) turnIntoConstant(identity, replacement)
    else throw new CorunError('invalid-model', `the model has no tensor "${name}" to replace`)
  }
  edit(model.graph)
  return writeModel(model)
}

interface Places {
  tensors: Map<string, TensorProto>
  /** By output. */
  identities: Map<string | undefined, NodeProto>
}

/** Where weights may lie. Those in a function's body get a place of their own in each call. */
function placesOf(model: Model, names: readonly string[]): Places {
  const tensors = tensorsByName(model)
  const identityNodes = model.graph.node.filter(({ opType }) => opType === 'Identity')
  const identities = new Map(identityNodes.map(node => [node.output[0], node]))
  const complete = names.every(name => tensors.has(name) || identities.has(name))
  if (complete || model.functions.length === 0) return { tensors, identities }
  inlineFunctions(model)
  return placesOf(model, names)
}

function tensorsByName({ graph }: Model): Map<string, TensorProto> {
  const tensors = new Map(graph.initializer.map(tensor => [tensor.name, tensor]))
  for (const node of graph.node) {
    const [output] = node.output
    const value = node.attribute.find(({ name }) => name === 'value')?.t
    if (node.opType === 'Constant' && output !== undefined && value) tensors.set(output, value)
  }
  return tensors
}

function replaceData(name: string, tensor: TensorProto, data: Float32Array): void {
  checkSize(name, tensor, data)
  putData(tensor, { data })
}

function putData(tensor: TensorProto, tensorData: Pick<Tensor, 'data'>): void {
  tensor.rawData = bytesOf(tensorData).slice()
  // raw_data and a typed list must not both be set
  clearField(tensor, TensorProtoSchema.field.floatData)
  clearField(tensor, TensorProtoSchema.field.int64Data)
  forgetPlace(tensor) // trained weights lie in the model; frozen ones stay in the file beside it
}

function checkSize(name: string, tensor: TensorProto, data: Float32Array): void {
  const dims = tensor.dims.map(Number)
  if (tensor.dataType !== codeOf('float32') || elementCount(dims) !== data.length) {
    throw new CorunError(
      'invalid-model',
      `tensor "${name}" (type ${tensor.dataType}, [${dims.join(', ')}]) does not take ${data.length} float32 weights`,
    )
  }
}

function tensorBehind(name: string, identities: Places['identities'], tensors: Places['tensors']) {
  let source: string | undefined = name
  for (let node = identities.get(source); node; node = identities.get(source)) {
    source = node.input[0]
    const tensor = source === undefined ? undefined : tensors.get(source)
    if (tensor) return tensor
  }
  throw new CorunError('invalid-model', `"${name}" is an Identity of no tensor: it has no weights of its own`)
}

function becomeConstant(name: string, node: NodeProto, source: TensorProto, data: Float32Array): void {
  checkSize(name, source, data)
  turnIntoConstant(node, { type: 'float32', dims: source.dims.map(Number), data: data.slice() })
}

/** The node keeps its name and output, so that whoever uses it need not change. */
function turnIntoConstant(node: NodeProto, value: Tensor): void {
  const tensor = encodeTensor('', value)
  node.opType = 'Constant'
  node.input = []
  node.attribute = [create(AttributeProtoSchema, { name: 'value', type: attributeTypes.tensor, t: tensor })]
}
