/**
 * Cuts a graph where training begins: what lies before the cut is the same for a picture in every epoch, so its
 * result can be computed once and kept. Pure; who computes and keeps it is the trainer's business.
 */
import { copyGraph, type Graph, type Node, removeUnused, type ValueInfo } from '../onnx/index.ts'
import type { PreparedGraph } from './prepare.ts'

export interface FrozenBorder {
  /** From the model's input to the cut, its one output; nothing in it trains. */
  features: Graph
  /** From the cut, now the input, to the model's output. */
  rest: PreparedGraph
  /** Shape of the cut, batch first. */
  dims: number[]
}

/**
 * The latest single float32 value that everything trained depends on the input through; undefined when training
 * begins at the input. The graph must have shapes (see withShapes).
 */
export function splitAtFrozenBorder(prepared: PreparedGraph): FrozenBorder | undefined {
  const { graph, input } = prepared
  const trained = reachable(graph.nodes, new Set(prepared.parameters.map(({ name }) => name)))
  const live = reachable(graph.nodes, new Set([input]))
  const border = bordersOf(graph, live, trained)
  const cut = graph.nodes
    .toReversed()
    .map(({ outputs }) => (outputs.length === 1 ? outputs[0] : undefined))
    .find(
      name => name !== undefined && live.has(name) && !trained.has(name) && cuts(graph, input, name, border),
    )
  const info = cut === undefined ? undefined : graph.valueInfo.get(cut)
  const dims = info?.dims?.filter(dim => typeof dim === 'number')
  if (
    cut === undefined ||
    info?.type !== 'float32' ||
    dims === undefined ||
    dims.length !== info.dims?.length
  ) {
    return undefined
  }
  return { ...split(prepared, { name: cut, type: 'float32', dims }), dims }
}

/** Values that depend on one of `roots`, these included. */
function reachable(nodes: readonly Node[], roots: ReadonlySet<string>, without?: string): Set<string> {
  const found = new Set(roots)
  for (const { inputs, outputs } of nodes) {
    if (!inputs.some(name => found.has(name))) continue
    for (const name of outputs) if (name !== without) found.add(name)
  }
  return found
}

/** What the trained part takes from the frozen one, and the output when nothing trains on the way to it. */
function bordersOf(graph: Graph, live: ReadonlySet<string>, trained: ReadonlySet<string>): Set<string> {
  const frozen = (name: string) => live.has(name) && !trained.has(name)
  const taken = graph.nodes.filter(({ outputs }) => outputs.some(name => trained.has(name)))
  const ends = graph.outputs.map(({ name }) => name)
  return new Set([...taken.flatMap(({ inputs }) => inputs), ...ends].filter(frozen))
}

/** Whether the border depends on the input through `name` alone. */
function cuts(graph: Graph, input: string, name: string, border: ReadonlySet<string>): boolean {
  const around = reachable(graph.nodes, new Set([input]), name)
  return [...border].every(value => value === name || !around.has(value))
}

function split(prepared: PreparedGraph, cut: ValueInfo): Pick<FrozenBorder, 'features' | 'rest'> {
  const { graph, input } = prepared
  const features = copyGraph(graph)
  features.inputs = graph.inputs.filter(({ name }) => name === input)
  features.outputs = [cut]
  removeUnused(features)
  const rest = copyGraph(graph)
  rest.inputs = [cut, ...graph.inputs.filter(({ name }) => name !== input)]
  rest.nodes = graph.nodes.filter(({ outputs }) => !outputs.includes(cut.name))
  removeUnused(rest)
  return { features, rest: { ...prepared, graph: rest, input: cut.name } }
}
