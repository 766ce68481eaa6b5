/** Models that were exported while they trained: what draws at random or counts along becomes its inference form. */
import type { Graph } from '../onnx/index.ts'

/** In place. Dropout loses its ratio and mode, and passes its input on; batch normalization loses its mode. */
export function toInferenceForm(graph: Graph): void {
  for (const node of graph.nodes) {
    if (node.domain !== '') continue
    if (node.opType === 'Dropout') node.inputs = node.inputs.slice(0, 1)
    if (node.opType !== 'BatchNormalization') continue
    const { training_mode: _, ...attributes } = node.attributes
    node.attributes = attributes
    node.outputs = node.outputs.slice(0, 1)
  }
}
