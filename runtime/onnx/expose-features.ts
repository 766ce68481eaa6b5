/** An output more for a model: what its last layer takes in, by which requests can be compared. Pure. */
import { dataUsers } from './cut-points.ts'
import { createNode, type Graph, type Node } from './graph.ts'
import { encodeNode, graphOf, readModel, writeModel } from './model.ts'
import { parametersOf } from './parameters.ts'
import { headOf } from './select-parameters.ts'
import { encodeValueInfo } from './value-info.ts'

export interface ExposedFeatures {
  /** The same model with one output more. */
  bytes: Uint8Array
  /** Name of that output: float32 [N, C, 1, ...] where it is pooled, else [N, ..., C]. */
  output: string
  /** It was taken in by a convolution: its positions are averaged. */
  pooled: boolean
}

/**
 * Undefined when there is nothing to expose: no layer with float32 weights, or one that takes the model's input itself.
 * @throws CorunError `invalid-model`
 */
export function exposeFeatures(bytes: Uint8Array): ExposedFeatures | undefined {
  const model = readModel(bytes)
  const graph = graphOf(model)
  const taken = takenByHead(graph)
  if (taken === undefined) return undefined
  const { node, value } = taken
  const pooled = node.opType === 'Conv'
  if (pooled) {
    // Every version of the operator set has this one, whatever the rank.
    const pool = createNode('GlobalAveragePool', [value], [pooledName])
    model.graph.node.push(encodeNode(pool))
  }
  const output = pooled ? pooledName : value
  if (!graph.outputs.some(({ name }) => name === output)) {
    model.graph.output.push(encodeValueInfo({ name: output, type: 'float32', dims: undefined }))
  }
  return { bytes: writeModel(model), output, pooled }
}

const pooledName = 'corun.features'

/** The last layer, and the value among its inputs that depends on the model's. */
function takenByHead(graph: Graph): { node: Node; value: string } | undefined {
  const weight = headOf(parametersOf(graph)).find(({ role }) => role === 'weight')
  const node = weight && dataUsers(graph)(weight.name)
  if (node === undefined || !['Conv', 'Gemm', 'MatMul'].includes(node.opType)) return undefined
  const makers = new Set(graph.nodes.flatMap(({ outputs }) => outputs))
  const live = liveValues(graph)
  const value = node.inputs.find(name => live.has(name) && makers.has(name))
  return value === undefined ? undefined : { node, value }
}

function liveValues({ inputs, nodes }: Graph): Set<string> {
  const live = new Set(inputs.map(({ name }) => name))
  for (const node of nodes) {
    if (node.inputs.some(name => live.has(name))) for (const output of node.outputs) live.add(output)
  }
  return live
}
