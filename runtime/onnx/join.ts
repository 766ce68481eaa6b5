/** Two graphs one behind the other: a network and a last layer that was trained on its features. */
import { CorunError } from '../core/errors.ts'
import { copyGraph, type Graph } from './graph.ts'
import { createNamer } from './names.ts'
import { liftOpset } from './opset.ts'

/**
 * What `front` gives goes into `back`, whose outputs are those of the whole. A name that both have is changed in `back`.
 * @throws CorunError `invalid-model` when `front` has not one output or `back` not one input, or their sizes differ
 */
export function joinGraphs(front: Graph, back: Graph): Graph {
  const [feature, ...otherOutputs] = front.outputs
  const [input, ...otherInputs] = back.inputs
  if (feature === undefined || input === undefined || otherOutputs.length + otherInputs.length > 0) {
    throw new CorunError(
      'invalid-model',
      `a head takes one input and follows a network with one output; they have ${back.inputs.length} and ${front.outputs.length}`,
    )
  }
  const [given, taken] = [feature.dims?.at(-1), input.dims?.at(-1)]
  if (typeof given === 'number' && typeof taken === 'number' && given !== taken) {
    throw new CorunError(
      'invalid-model',
      `the head takes ${taken} features, the network's output "${feature.name}" gives ${given}`,
    )
  }
  const [first, second] = [copyGraph(front), copyGraph(back)]
  if (first.opsets.get('') !== second.opsets.get('')) for (const graph of [first, second]) liftOpset(graph)
  const free = createNamer(first)
  const names = new Map([[input.name, feature.name]])
  const renamed = (name: string) => {
    if (name === '') return name
    const known = names.get(name) ?? free(name)
    names.set(name, known)
    return known
  }
  for (const { name } of second.outputs) renamed(name)
  for (const [name, tensor] of second.initializers) first.initializers.set(renamed(name), tensor)
  for (const node of second.nodes) {
    const outputs = node.outputs.map(renamed)
    first.nodes.push({ ...node, name: outputs[0] ?? node.name, inputs: node.inputs.map(renamed), outputs })
  }
  for (const [domain, version] of second.opsets) {
    first.opsets.set(domain, Math.max(version, first.opsets.get(domain) ?? 0))
  }
  return { ...first, outputs: second.outputs.map(output => ({ ...output, name: renamed(output.name) })) }
}
