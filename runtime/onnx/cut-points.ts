/** Where a graph hangs together by a single value, and where a constant tensor meets the data. */
import type { Graph, Node } from './graph.ts'
import { usesOf } from './usage.ts'

/** What follows depends on the data's shape alone. */
const shapeOnly = new Set(['Shape', 'Size'])

/** The first node that a tensor meets the data in: past what only rearranges constants. */
export function dataUsers(graph: Graph): (name: string) => Node | undefined {
  const uses = usesOf(graph.nodes)
  const live = new Set(graph.inputs.map(({ name }) => name))
  const fed = new Set<Node>()
  for (const node of graph.nodes) {
    if (shapeOnly.has(node.opType) || !node.inputs.some(name => live.has(name))) continue
    fed.add(node)
    for (const output of node.outputs) live.add(output)
  }
  const find = (name: string): Node | undefined => {
    const direct = (uses.get(name) ?? []).map(({ node }) => node)
    return direct.find(node => fed.has(node)) ?? direct.flatMap(node => find(node.outputs[0] ?? '') ?? [])[0]
  }
  return find
}

/** For every node that the data runs through: after how many cuts. A cut is where a single value leads on. */
export function placesOf(graph: Graph): Map<Node, number> {
  const lastUse = new Map<string, number>()
  for (const [index, node] of graph.nodes.entries()) {
    if (!shapeOnly.has(node.opType)) for (const name of node.inputs) lastUse.set(name, index)
  }
  for (const { name } of graph.outputs) lastUse.set(name, graph.nodes.length)
  const open = new Set(graph.inputs.flatMap(({ name }) => (lastUse.has(name) ? [name] : [])))
  const live = new Set(open)
  const places = new Map<Node, number>()
  let cuts = 0
  for (const [index, node] of graph.nodes.entries()) {
    if (shapeOnly.has(node.opType) || !node.inputs.some(name => live.has(name))) continue
    places.set(node, cuts)
    for (const name of node.outputs) {
      live.add(name)
      if ((lastUse.get(name) ?? -1) > index) open.add(name)
    }
    for (const name of node.inputs) if ((lastUse.get(name) ?? -1) <= index) open.delete(name)
    if (open.size === 1) cuts += 1
  }
  return places
}
