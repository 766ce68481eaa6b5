/** Names for new values that collide with nothing in a graph. */
import type { Graph } from './graph.ts'

/** Returns a function that makes `stem`, `stem_1`, `stem_2`, ... into names that `graph` does not use. */
export function createNamer(graph: Graph): (stem: string) => string {
  const taken = new Set<string>([...graph.initializers.keys(), ...graph.inputs.map(({ name }) => name)])
  for (const node of graph.nodes) for (const output of node.outputs) taken.add(output)
  const counts = new Map<string, number>()
  return stem => {
    let count = counts.get(stem) ?? 0
    let name = count === 0 ? stem : `${stem}_${count}`
    while (taken.has(name)) name = `${stem}_${++count}`
    counts.set(stem, count + 1)
    taken.add(name)
    return name
  }
}
