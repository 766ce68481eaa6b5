/**
 * A model file without its weights: a float tensor keeps its name and shape, and of its data two numbers, mean and
 * spread, from which seeded random weights of the same scale are drawn. Such a file is tens of kilobytes when
 * compressed. It is an ONNX message, but no model that an engine loads before fillWeights.
 */
import { codeOf } from '../../runtime/onnx/element-type.ts'
import { readModel, writeModel } from '../../runtime/onnx/model.ts'
import type { TensorProto } from '../../runtime/onnx/onnx_pb.ts'
import { bytesOf, decodeTensor, elementCount, floatsOf } from '../../runtime/onnx/tensor.ts'
import { numbersOf } from './numbers.ts'

/** Smaller tensors keep their data: constants of formulas, and shapes. */
const SMALLEST = 9

/** Drops the data of every large float32 initializer, and the shapes that exporters write beside the nodes. */
export function dropWeights(bytes: Uint8Array): Uint8Array {
  const model = readModel(bytes)
  model.graph.valueInfo = []
  for (const tensor of model.graph.initializer) {
    if (!isLarge(tensor)) continue
    tensor.floatData = sketchOf(floatsOf(decodeTensor(tensor)))
    tensor.rawData = new Uint8Array()
  }
  return writeModel(model)
}

/**
 * The same model with weights: uniform, with each tensor's mean and spread, the same for the same seed on every
 * machine. The walk of a tensor's numbers starts from its name, so that two exports of a network agree.
 */
export function fillWeights(bytes: Uint8Array, seed: number): Uint8Array {
  const model = readModel(bytes)
  for (const tensor of model.graph.initializer) {
    const [mean, spread] = tensor.floatData
    if (!isLarge(tensor) || mean === undefined || spread === undefined) continue
    const next = numbersOf(tensor.name, seed)
    const reach = spread * Math.sqrt(3)
    const data = new Float32Array(sizeOf(tensor))
    for (let index = 0; index < data.length; index++) data[index] = mean + reach * (2 * next() - 1)
    tensor.rawData = bytesOf({ data })
    tensor.floatData = []
  }
  return writeModel(model)
}

const sizeOf = ({ dims }: TensorProto): number => elementCount(dims.map(Number))

function isLarge(tensor: TensorProto): boolean {
  return tensor.dataType === codeOf('float32') && sizeOf(tensor) >= SMALLEST
}

/** Rounded: the digits after the third say nothing about the scale. */
function sketchOf(data: Float32Array): [number, number] {
  const mean = data.reduce((sum, value) => sum + value, 0) / data.length
  const variance = data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length
  return [Number(mean.toPrecision(3)), Number(Math.sqrt(variance).toPrecision(3))]
}
