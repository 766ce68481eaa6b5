/**
 * Where a network can be cut into blocks, and which parameters each holds.
 *
 * Names propose and the graph decides. A parameter's module path is its own dotted name (features.17.conv.0.weight), or
 * the path of the node that uses it (/layer4/layer4.1/conv2/Conv) where the exporter invented the name. The tree of
 * modules is split from the root as long as a module's children run strictly one after the other: every path
 * from input to output leads from one to the next through a single value. A residual block stays whole, since its
 * shortcut passes by, and with it every module whose path differs in numbers alone: an inverted residual block
 * without a shortcut is as much a block as its siblings that have one. Without paths, what a single value joins to
 * the rest is a block.
 */
import { inlineConstants, untieIdentities } from './constants.ts'
import { dataUsers, placesOf } from './cut-points.ts'
import { copyGraph, type Graph, type Node } from './graph.ts'
import { type Parameter, parametersOf } from './parameters.ts'

export interface Block {
  /** The module's path, such as layer4.1; that of its first parameter where names tell nothing. */
  name: string
  parameters: Parameter[]
}

/** A parameter with its place in the graph: the number of cuts before it. */
interface Placed {
  parameter: Parameter
  path: string[]
  place: number
}

/** The blocks of a graph as read, in the order in which they run. Does not change it. */
export function blocksOf(graph: Graph): Block[] {
  const flat = copyGraph(graph)
  inlineConstants(flat)
  untieIdentities(flat)
  const parameters = parametersOf(graph)
  const users = dataUsers(flat)
  const places = placesOf(flat)
  const placed = parameters.map((parameter): Placed => {
    const user = users(parameter.name)
    return { parameter, path: pathOf(parameter.name, user), place: (user && places.get(user)) ?? 0 }
  })
  const whole = new Set<string>()
  collectWhole(placed, 0, whole)
  return withWeights(split(placed, 0, whole)).map(members => ({
    name: commonPath(members).join('.') || (members[0]?.parameter.name ?? ''),
    parameters: members.map(({ parameter }) => parameter),
  }))
}

/** Skeletons of the modules that cannot be split, into `whole`. `members` share a path of `depth` parts. */
function collectWhole(members: readonly Placed[], depth: number, whole: Set<string>): void {
  if (members.every(({ path }) => path.length <= depth)) return
  const parts = children(members, depth)
  if (depth > 0 && sequence(parts).length < parts.length) whole.add(skeletonOf(members, depth))
  else for (const part of parts) collectWhole(part, depth + 1, whole)
}

function split(members: readonly Placed[], depth: number, whole: ReadonlySet<string>): Placed[][] {
  const isLayer = members.every(({ path }) => path.length <= depth)
  if (isLayer || whole.has(skeletonOf(members, depth))) return [[...members]]
  return sequence(children(members, depth)).flatMap(part =>
    // Only at the root: modules that run side by side are one block.
    children(part, depth).length > 1 ? [part] : split(part, depth + 1, whole),
  )
}

function skeletonOf([member]: readonly Placed[], depth: number): string {
  return member?.path.slice(0, depth).join('.').replaceAll(/\d+/g, '#') ?? ''
}

/** A normalization by itself goes to the block that it follows. */
function withWeights(modules: readonly Placed[][]): Placed[][] {
  const done: Placed[][] = []
  for (const members of modules) {
    const before = done.at(-1)
    if (before && members.every(({ parameter }) => parameter.role !== 'weight')) before.push(...members)
    else done.push([...members])
  }
  return done
}

/** Members by what their paths say at `depth`, in order. */
function children(members: readonly Placed[], depth: number): Placed[][] {
  const parts = new Map<string, Placed[]>()
  for (const member of members) {
    const key = member.path.slice(0, depth + 1).join('.')
    parts.set(key, [...(parts.get(key) ?? []), member])
  }
  return [...parts.values()].sort((a, b) => first(a) - first(b))
}

const first = (members: readonly Placed[]) => Math.min(...members.map(({ place }) => place))
const last = (members: readonly Placed[]) => Math.max(...members.map(({ place }) => place))

/** Neighbours become one until each runs strictly before the next. */
function sequence(parts: readonly Placed[][]): Placed[][] {
  const done: Placed[][] = []
  for (const part of parts) {
    const before = done.at(-1)
    if (before && last(before) >= first(part)) before.push(...part)
    else done.push([...part])
  }
  return done
}

/** What the paths of a block's weights have in common. */
function commonPath([head, ...others]: readonly Placed[]): string[] {
  const weights = others.filter(({ parameter }) => parameter.role === 'weight')
  const length = head?.path.findIndex((part, index) => weights.some(({ path }) => path[index] !== part)) ?? 0
  return head?.path.slice(0, length < 0 ? head.path.length : length) ?? []
}

/** Names such as onnx::Conv_123 or val_7 are the exporter's own; the node that uses the tensor may know its module. */
function pathOf(name: string, user: Node | undefined): string[] {
  if (name.includes('.') && !name.includes('::')) {
    const parts = name.split('.')
    return parts.slice(0, -1)
  }
  const scope = user?.name.includes('/') ? user.name.split('/').filter(part => part !== '') : []
  if (scope.length < 2) return [name]
  // The exporter writes features/features.1/conv for features.1.conv.
  return scope.slice(0, -1).map((part, index) => {
    const parent = scope[index - 1]
    return parent !== undefined && part.startsWith(`${parent}.`) ? part.slice(parent.length + 1) : part
  })
}
