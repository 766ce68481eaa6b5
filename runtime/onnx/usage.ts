/** Who makes and who uses which value of a graph; what nobody uses is removed here. */
import type { Attribute, Graph, Node } from './graph.ts'
import type { GraphProto } from './onnx_pb.ts'

/** The node that makes each value. */
export function producersOf(nodes: readonly Node[]): Map<string, Node> {
  const producers = new Map<string, Node>()
  for (const node of nodes) for (const output of node.outputs) if (output) producers.set(output, node)
  return producers
}

export interface Use {
  node: Node
  /** Position among the node's inputs; -1 inside the body of an If, Loop or Scan. */
  index: number
}

export function usesOf(nodes: readonly Node[]): Map<string, Use[]> {
  const uses = new Map<string, Use[]>()
  const record = (name: string, use: Use) => {
    const known = uses.get(name)
    if (known) known.push(use)
    else uses.set(name, [use])
  }
  for (const node of nodes) {
    for (const [index, name] of node.inputs.entries()) if (name) record(name, { node, index })
    for (const name of bodyInputs(node)) record(name, { node, index: -1 })
  }
  return uses
}

/** Removes, in place, the nodes, initializers and shapes that no output of the graph needs. Inputs stay. */
export function removeUnused(graph: Graph): void {
  const needed = new Set(graph.outputs.map(({ name }) => name))
  const kept: Node[] = []
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some(output => needed.has(output))) continue
    kept.push(node)
    for (const name of [...node.inputs, ...bodyInputs(node)]) needed.add(name)
  }
  graph.nodes = kept.reverse()
  for (const name of graph.initializers.keys()) if (!needed.has(name)) graph.initializers.delete(name)
  for (const node of kept) for (const name of node.outputs) needed.add(name)
  for (const name of graph.valueInfo.keys()) if (!needed.has(name)) graph.valueInfo.delete(name)
}

/** Every name that the bodies of a control-flow node mention: their own values too, which does no harm here. */
function bodyInputs(node: Node): string[] {
  return Object.values(node.attributes).flatMap((attribute: Attribute) =>
    attribute.type === 'graphs' ? attribute.value.flatMap(namesUsed) : [],
  )
}

function namesUsed(graph: GraphProto): string[] {
  return [
    ...graph.output.map(({ name }) => name),
    ...graph.node.flatMap(node => [
      ...node.input,
      ...node.attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs).flatMap(namesUsed)),
    ]),
  ]
}
