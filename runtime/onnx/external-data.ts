/**
 * Weights in files beside the model, as exporters write them for models that are large. Which files a model names, and
 * the same model with everything inside; reading the files is the caller's. Formats and keys: ExternalData.md of onnx/onnx.
 */
import { clearField } from '@bufbuild/protobuf'
import { CorunError } from '../core/errors.ts'
import { readModel, writeModel } from './model.ts'
import { type GraphProto, type ModelProto, type TensorProto, TensorProtoSchema } from './onnx_pb.ts'
import { EXTERNAL } from './tensor.ts'

/** Protobuf's limit of a message. */
const LARGEST_MODEL_BYTES = 2 ** 31 - 1

/** Contents by the names that the model gives the files: paths relative to the model, such as model.onnx.data. */
export type ExternalFiles = ReadonlyMap<string, Uint8Array>

/** Names of the files that `bytes` needs beside it; empty for a model that holds its weights itself. */
export function externalFilesOf(bytes: Uint8Array): string[] {
  return [...new Set(externalTensors(readModel(bytes)).map(tensor => placeOf(tensor).location))]
}

/**
 * The same model with all its weights inside, and nothing else changed.
 * @throws CorunError `invalid-model` when a file is missing or too short, a name leads out of the model's folder, or
 *   the whole would pass the 2 GiB that one file can hold
 */
export function embedExternalData(bytes: Uint8Array, files: ExternalFiles): Uint8Array {
  const model = readModel(bytes)
  const tensors = externalTensors(model)
  if (tensors.length === 0) return bytes
  for (const tensor of tensors) embed(tensor, files)
  const total = tensors.reduce((sum, { rawData }) => sum + rawData.length, bytes.length)
  if (total > LARGEST_MODEL_BYTES) {
    throw new CorunError(
      'invalid-model',
      `the model has ${total} bytes with its external data; one file holds 2 GiB`,
    )
  }
  return writeModel(model)
}

function embed(tensor: TensorProto, files: ExternalFiles): void {
  const { location, offset, length } = placeOf(tensor)
  const file = files.get(location)
  if (!file)
    throw new CorunError('invalid-model', `tensor "${tensor.name}" lies in "${location}", which is missing`)
  const end = length === undefined ? file.length : offset + length
  if (end > file.length) {
    throw new CorunError(
      'invalid-model',
      `tensor "${tensor.name}" lies at ${offset} to ${end} of "${location}", which has ${file.length} bytes`,
    )
  }
  tensor.rawData = file.subarray(offset, end)
  forgetPlace(tensor)
}

/** The tensor no longer points to a file. */
export function forgetPlace(tensor: TensorProto): void {
  tensor.externalData = []
  clearField(tensor, TensorProtoSchema.field.dataLocation)
}

function placeOf({ name, externalData }: TensorProto) {
  const entries = new Map(externalData.map(({ key, value }) => [key, value]))
  const location = entries.get('location') ?? ''
  // A model is someone else's file: it must not make Corun read whatever it likes.
  if (location === '' || /^[/\\]|^[A-Za-z]:|(^|[/\\])\.\.([/\\]|$)/.test(location)) {
    throw new CorunError(
      'invalid-model',
      `tensor "${name}" names "${location}", which is no file beside the model`,
    )
  }
  const count = (key: string): number | undefined => {
    const text = entries.get(key)
    if (text === undefined) return undefined
    const value = Number(text)
    if (Number.isSafeInteger(value) && value >= 0) return value
    throw new CorunError('invalid-model', `tensor "${name}" has the ${key} "${text}" in "${location}"`)
  }
  return { location, offset: count('offset') ?? 0, length: count('length') }
}

function externalTensors({ graph }: ModelProto): TensorProto[] {
  return graph ? tensorsIn(graph).filter(({ dataLocation }) => dataLocation === EXTERNAL) : []
}

/** Initializers, attributes, and those in the bodies of If, Loop and Scan. */
function tensorsIn(graph: GraphProto): TensorProto[] {
  return [
    ...graph.initializer,
    ...graph.node.flatMap(({ attribute }) =>
      attribute.flatMap(({ t, tensors, g, graphs }) => [
        ...(t ? [t] : []),
        ...tensors,
        ...(g ? [g, ...graphs] : graphs).flatMap(tensorsIn),
      ]),
    ),
  ]
}
