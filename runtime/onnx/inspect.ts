/** What a model takes and gives, as serving needs to know it; weights are not decoded. */
import type { ElementType } from './element-type.ts'
import type { Dimension } from './graph.ts'
import { inlineFunctions } from './inline-functions.ts'
import { readModel } from './model.ts'
import type { NodeProto, ValueInfoProto } from './onnx_pb.ts'
import { decodeValueInfo } from './value-info.ts'

export type Activation = 'softmax' | 'sigmoid' | 'none'

export interface ModelPort {
  name: string
  /** `undefined` for strings, sequences and other things that Corun does not feed. */
  type: ElementType | undefined
  /** A number is fixed, a string is the author's symbol, `null` is not known; `undefined`: not even the rank. */
  dims: Dimension[] | undefined
}

export interface ModelDescription {
  inputs: ModelPort[]
  outputs: (ModelPort & {
    /** What makes this output: after 'softmax' or 'sigmoid' it is a probability already. */
    activation: Activation
  })[]
}

/** Operators that change a value's form and not what it means. */
const transparent = new Set([
  'Identity',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Transpose',
  'Cast',
  'Dropout',
  'Slice',
  'Gather',
])

/** @throws CorunError `invalid-model` */
export function inspectModel(bytes: Uint8Array): ModelDescription {
  const model = readModel(bytes)
  inlineFunctions(model)
  const { graph } = model
  const initialized = new Set(graph.initializer.map(({ name }) => name))
  const producers = new Map<string, NodeProto>()
  for (const node of graph.node) for (const output of node.output) producers.set(output, node)
  return {
    inputs: graph.input.filter(({ name }) => !initialized.has(name)).map(portOf),
    outputs: graph.output.map(output => ({
      ...portOf(output),
      activation: activationOf(output.name, producers),
    })),
  }
}

function portOf(info: ValueInfoProto): ModelPort {
  const { name, type, dims } = decodeValueInfo(info)
  return { name, type, dims }
}

function activationOf(name: string, producers: Map<string, NodeProto>): Activation {
  let node = producers.get(name)
  while (node && transparent.has(node.opType)) node = producers.get(node.input[0] ?? '')
  if (node?.opType === 'Softmax') return 'softmax'
  return node?.opType === 'Sigmoid' ? 'sigmoid' : 'none'
}
