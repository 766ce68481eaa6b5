/** Which parameters learn: from 'head', { lastBlocks }, 'all' or a predicate to names. */
import { type Block, blocksOf } from './blocks.ts'
import type { Graph } from './graph.ts'
import { type Parameter, parametersOf } from './parameters.ts'

export type ParameterSelection = 'head' | 'all' | { lastBlocks: number } | ((name: string) => boolean)

/** The last layer: the last weight, and the bias or scale that follows it. */
export function headOf(parameters: readonly Parameter[]): Parameter[] {
  return parameters.slice(
    Math.max(
      parameters.findLastIndex(({ role }) => role === 'weight'),
      0,
    ),
  )
}

/** The blocks before the head (see blocks.ts), then the head, which is taken out of the block that it ends. */
export function blocksAndHead(graph: Graph): { blocks: Block[]; head: Parameter[] } {
  const head = headOf(parametersOf(graph))
  const names = new Set(head.map(({ name }) => name))
  const blocks = blocksOf(graph)
    .map(block => ({ ...block, parameters: block.parameters.filter(({ name }) => !names.has(name)) }))
    .filter(({ parameters }) => parameters.length > 0)
  return { blocks, head }
}

/** Names in the order of first use. `lastBlocks` counts the blocks that train beside the head. */
export function selectParameters(graph: Graph, selection: ParameterSelection): string[] {
  const parameters = parametersOf(graph)
  const named = (chosen: readonly Parameter[]) => chosen.map(({ name }) => name)
  if (selection === 'all') return named(parameters)
  if (selection === 'head') return named(headOf(parameters))
  if (typeof selection === 'function') return named(parameters).filter(selection)
  const { blocks, head } = blocksAndHead(graph)
  const last = selection.lastBlocks > 0 ? blocks.slice(-selection.lastBlocks) : []
  const chosen = new Set(named([...last.flatMap(block => block.parameters), ...head]))
  return named(parameters).filter(name => chosen.has(name))
}
