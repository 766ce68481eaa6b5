// Hands a model that PyTorch does not have to PyTorch: its graph as JSON and its weights, for graph_network.py.
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { prepareForTraining } from '../../runtime/autodiff/index.ts'
import { findLogits } from '../../runtime/autodiff/logits.ts'
import { recognizeHardSwish } from '../../runtime/autodiff/recognize-hard-swish.ts'
import { valuesOf } from '../../runtime/autodiff/values.ts'
import {
  type Attribute,
  floatsOf,
  type Graph,
  type Node,
  readGraph,
  removeUnused,
} from '../../runtime/onnx/index.ts'
import { simplify } from '../../runtime/training/simplify.ts'
import type { Subject } from './training-subject.ts'

/** Writes graph.json and weights.bin into a new folder, which is the caller's to remove. */
export async function writeTorchGraph({ bytes, outputName, dims, batchSize }: Subject): Promise<string> {
  const source = readGraph(bytes)
  const inputShape = [batchSize, ...dims]
  const prepared = prepareForTraining(source, { output: outputName, inputShape, trainable: () => true })
  const graph = await simplify(prepared.graph)
  recognizeHardSwish(graph)
  const { value: logits } = findLogits(graph, prepared.output, valuesOf(graph), 'softmax-cross-entropy')
  graph.outputs = [{ name: logits.name, type: 'float32', dims: undefined }]
  removeUnused(graph)
  const constants = [...graph.initializers].filter(([, tensor]) => tensor.type === 'float32')
  const weights = [
    ...prepared.parameters.map(({ name }) => weightOf(source, name)),
    ...constants.map(([, tensor]) => floatsOf(tensor)),
  ]
  const folder = await mkdtemp(join(tmpdir(), 'corun-torch-'))
  await writeFile(join(folder, 'weights.bin'), Buffer.concat(weights.map(bytesOf)))
  await writeFile(
    join(folder, 'graph.json'),
    JSON.stringify({
      input: prepared.input,
      output: logits.name,
      parameters: Object.fromEntries(prepared.parameters.map(({ name, dims }) => [name, dims])),
      constants: Object.fromEntries(constants.map(([name, tensor]) => [name, tensor.dims])),
      nodes: graph.nodes.map(node => describe(node, graph)),
    }),
  )
  return folder
}

function describe(node: Node, { initializers }: Graph) {
  const attributes: Record<string, unknown> = Object.fromEntries(
    Object.entries(node.attributes).map(([name, attribute]: [string, Attribute]) => [name, attribute.value]),
  )
  const floats = node.inputs.filter(name => (initializers.get(name)?.type ?? 'float32') === 'float32')
  if (node.opType === 'Reshape') {
    attributes.shape = [...(initializers.get(node.inputs[1] ?? '')?.data ?? [])].map(Number)
  }
  return { op: node.opType, inputs: floats, output: node.outputs[0], attributes }
}

function weightOf({ initializers, nodes }: Graph, name: string): Float32Array {
  const value = nodes.find(({ outputs }) => outputs[0] === name)?.attributes.value
  const tensor = initializers.get(name) ?? (value?.type === 'tensor' ? value.value : undefined)
  if (!tensor) throw new Error(`${name} has no value`)
  return floatsOf(tensor)
}

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  new Uint8Array(buffer, byteOffset, byteLength)
