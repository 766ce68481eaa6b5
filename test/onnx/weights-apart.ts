/** A model with its initializers in one file beside it, as torch.onnx.export writes large ones. */
import { create } from '@bufbuild/protobuf'
import { readModel, writeModel } from '../../runtime/onnx/model.ts'
import { StringStringEntryProtoSchema } from '../../runtime/onnx/onnx_pb.ts'

/** `places` overrule where the model says that its tensors lie, in their order. */
export function weightsApart(
  bytes: Uint8Array,
  location: string,
  places: readonly Record<string, string>[] = [],
): { model: Uint8Array; weights: Uint8Array } {
  const model = readModel(bytes)
  const chunks: Uint8Array[] = []
  let offset = 0
  for (const [index, tensor] of model.graph.initializer.entries()) {
    if (tensor.rawData.length === 0) continue
    const place = {
      location,
      offset: `${offset}`,
      length: `${tensor.rawData.length}`,
      ...places[index],
    }
    chunks.push(tensor.rawData)
    offset += tensor.rawData.length
    tensor.rawData = new Uint8Array()
    tensor.dataLocation = 1
    tensor.externalData = Object.entries(place).map(([key, value]) =>
      create(StringStringEntryProtoSchema, { key, value }),
    )
  }
  return { model: writeModel(model), weights: new Uint8Array(Buffer.concat(chunks)) }
}
