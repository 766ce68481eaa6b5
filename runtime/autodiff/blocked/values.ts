/** Which values of a graph there are in blocks, which in plain order, and how one becomes the other. */
import { type Graph, int, type Node, producersOf } from '../../onnx/index.ts'
import { createEmitter, type Value } from '../emitter.ts'
import { createOperators, type Operators } from '../operators/index.ts'
import { dimAt, sameDims } from '../shape.ts'
import { type Values, valuesOf } from '../values.ts'

export const blockedDomain = 'com.microsoft.nchwc'

/** The engine reorders a whole number of these channels. */
const CHANNEL_STEP = 4

export interface BlockedValues {
  /** Channels in a block. */
  block: number
  ops: Operators
  /** A value in plain order, by name. */
  of: Values
  /** The node of the graph as it was that made a value. */
  producer(name: string): Node | undefined
  initializers: Graph['initializers']
  /** `channels` filled up to whole blocks. */
  whole(channels: number): number
  /** Says that what `name` means in plain order was computed in blocks. */
  keep(name: string, value: Value): void
  /** What was computed in blocks; undefined for what would have to be reordered. */
  computed(name: string): Value | undefined
  /** `x`, seen as [N, C, H, W] of these `dims`, in blocks, C filled up to whole ones. Reordered once. */
  inBlocks(x: Value, dims?: readonly number[]): Value
  /** Makes the plain form of what was computed in blocks, before a node that needs it. */
  makePlain(name: string): void
}

/** New nodes go to `graph.nodes` as it is at the time. */
export function createBlockedValues(graph: Graph, block: number): BlockedValues {
  const of = valuesOf(graph)
  const producers = producersOf(graph.nodes)
  const ops = createOperators(createEmitter(graph))
  const blocked = new Map<string, Value>()
  const onlyBlocked = new Set<string>()
  const whole = (channels: number) => Math.ceil(channels / block) * block

  /** What a Reshape looks at, where both have whole blocks over the same positions: in blocks it is a view too. */
  const origin = (x: Value, dims: readonly number[]): Value | undefined => {
    const node = producers.get(x.name)
    if (node?.opType !== 'Reshape') return undefined
    const source = of(node.inputs[0] ?? '')
    const aligned = [source.dims, dims].every(each => each.length === 4 && dimAt(each, 1) % block === 0)
    return aligned && sameDims(source.dims.slice(2), dims.slice(2)) ? source : undefined
  }

  const makePlain = (name: string) => {
    const value = blocked.get(name)
    if (!value || !onlyBlocked.delete(name)) return
    graph.nodes.push({
      opType: 'ReorderOutput',
      domain: blockedDomain,
      name: `${name}/plain`,
      inputs: [value.name],
      outputs: [name],
      attributes: { channels: int(dimAt(of(name).dims, 1)) },
    })
  }

  const inBlocks = (x: Value, dims: readonly number[] = x.dims): Value => {
    const known = sameDims(dims, x.dims) ? blocked.get(x.name) : undefined
    if (known) return known
    const source = origin(x, dims)
    if (source) return ops.reshape(inBlocks(source), dims)
    makePlain(x.name)
    const missing = whole(dimAt(dims, 1)) - dimAt(dims, 1)
    const filling = dims.map((_, axis) => (axis === 1 ? missing : 0))
    const map = ops.reshape(x, dims)
    // The engine fills up by itself, but only from whole steps.
    const taken = dimAt(dims, 1) % CHANNEL_STEP === 0 ? map : ops.pad(map, [0, 0, 0, 0], filling)
    const filled = dims.map((dim, axis) => dim + (filling[axis] ?? 0))
    return ops.emit('ReorderInput', [taken], {}, { dims: filled, type: x.type }, blockedDomain)
  }

  return {
    block,
    ops,
    of,
    producer: name => producers.get(name),
    initializers: graph.initializers,
    whole,
    keep(name, value) {
      blocked.set(name, value)
      onlyBlocked.add(name)
    },
    computed: name => blocked.get(name),
    inBlocks,
    makePlain,
  }
}
