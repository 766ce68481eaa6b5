/**
 * Which tensors of a model are its parameters: what training may change, and under which name.
 * A parameter is named after its initializer, its Constant node's output, or the output of the Identity that
 * an exporter put between two equal tensors.
 */
import { inlineConstants, untieIdentities } from './constants.ts'
import { copyGraph, type Graph } from './graph.ts'
import { elementCount } from './tensor.ts'
import { type Use, usesOf } from './usage.ts'

export interface Parameter {
  name: string
  dims: number[]
  /** Decay pulls weights to zero; biases and scales of normalization are left out of it by custom. */
  role: 'weight' | 'bias' | 'scale'
}

/** Position of an operator's learned inputs, and what each is. */
const learnedInputs: Record<string, Record<number, Parameter['role']>> = {
  Conv: { 1: 'weight', 2: 'bias' },
  ConvTranspose: { 1: 'weight', 2: 'bias' },
  Gemm: { 0: 'weight', 1: 'weight', 2: 'bias' },
  MatMul: { 0: 'weight', 1: 'weight' },
  Gather: { 0: 'weight' },
  Einsum: { 0: 'weight', 1: 'weight' },
  PRelu: { 1: 'scale' },
  BatchNormalization: { 1: 'scale', 2: 'bias' }, // 3 and 4 are statistics
  InstanceNormalization: { 1: 'scale', 2: 'bias' },
  LayerNormalization: { 1: 'scale', 2: 'bias' },
  GroupNormalization: { 1: 'scale', 2: 'bias' },
  RMSNormalization: { 1: 'scale' },
  LSTM: { 1: 'weight', 2: 'weight', 3: 'bias' },
  GRU: { 1: 'weight', 2: 'weight', 3: 'bias' },
  RNN: { 1: 'weight', 2: 'weight', 3: 'bias' },
}

/** Exporters put biases and scales in with these; a single number there is a constant of the formula instead. */
const elementwise: Record<string, Parameter['role']> = {
  Add: 'bias',
  Sub: 'bias',
  Mul: 'scale',
  Div: 'scale',
  Concat: 'bias', // a class token, laid beside the data
}

/** Operators that only rearrange a parameter on its way to the one that learns it. */
const rearranging = new Set(['Reshape', 'Transpose', 'Squeeze', 'Unsqueeze', 'Flatten', 'Identity', 'Expand'])

/** The float32 parameters of a graph, in the order of first use. Takes a graph as read; does not change it. */
export function parametersOf(graph: Graph): Parameter[] {
  const flat = copyGraph(graph)
  inlineConstants(flat)
  untieIdentities(flat)
  const uses = usesOf(flat.nodes)
  const parameters: Parameter[] = []
  for (const name of uses.keys()) {
    const tensor = flat.initializers.get(name)
    if (tensor?.type !== 'float32') continue
    const role = roleOf(name, elementCount(tensor.dims), uses)
    if (role) parameters.push({ name, dims: tensor.dims, role })
  }
  return parameters
}

function roleOf(name: string, elements: number, uses: Map<string, Use[]>): Parameter['role'] | undefined {
  for (const { node, index } of uses.get(name) ?? []) {
    if (node.domain !== '') continue
    const learned = learnedInputs[node.opType]?.[index]
    if (learned) return learned
    if (elements > 1 && elementwise[node.opType]) return elementwise[node.opType]
    if (rearranging.has(node.opType) && index === 0) {
      const role = roleOf(node.outputs[0] ?? '', elements, uses)
      if (role) return role
    }
  }
  return undefined
}
