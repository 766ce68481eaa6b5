/** From the files of a TensorFlow.js model to an ONNX model: pure. */
import { CorunError } from '../core/errors.ts'
import { type Graph, writeGraph } from '../onnx/index.ts'
import { type ModelArtifacts, parseArtifacts } from './artifacts.ts'
import { graphOutputs, importGraph } from './import-graph.ts'
import { importLayers } from './import-layers.ts'
import { decodeWeights } from './weights.ts'

/** Part of the key under which results are kept: raised when the same files give another model. */
export const importerVersion = 1

export interface ImportOptions {
  /** Layers (of a layers model) or nodes (of a graph model) that shall be the outputs. Default: the model's own. */
  outputs?: readonly string[]
}

/**
 * An ONNX model, opset 17, float32. Inputs and outputs of rank 4 have their channels first: [N, C, H, W]. The first
 * dimension is free where the model leaves it so.
 *
 * @param json the content of model.json
 * @param groups the bytes of each group of its `weightsManifest`, the files of a group one after another
 * @throws CorunError `invalid-model`, and `unsupported-operator` with every operator that is not imported
 */
export function importTensorflow(
  json: unknown,
  groups: readonly Uint8Array[],
  { outputs }: ImportOptions = {},
): Uint8Array {
  const artifacts = parseArtifacts(json)
  const graph = graphOf(artifacts, groups, outputs)
  if (graph.inputs.length === 0) {
    throw new CorunError('invalid-model', 'no output of the model depends on an input')
  }
  return writeGraph(graph)
}

function graphOf(
  artifacts: ModelArtifacts,
  groups: readonly Uint8Array[],
  outputs: readonly string[] | undefined,
): Graph {
  const weights = decodeWeights(artifacts.weightsManifest, groups)
  const { modelTopology: topology } = artifacts
  if (topology.kind === 'layers') return importLayers(topology.config, weights, outputs)
  const wanted =
    outputs === undefined
      ? graphOutputs(artifacts, topology.nodes)
      : new Map(outputs.map(name => [name, name] as const))
  return importGraph(topology.nodes, weights, wanted)
}
