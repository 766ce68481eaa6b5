/** A TensorFlow graph becomes an ONNX graph: walks the nodes that the outputs need, in the order of need. */
import { CorunError } from '../core/errors.ts'
import type { Graph } from '../onnx/index.ts'
import type { GraphNode, ModelArtifacts } from './artifacts.ts'
import { readNode } from './graph-node.ts'
import { graphOperators } from './graph-operators.ts'
import { createNetwork } from './network.ts'
import { unsupported } from './unsupported.ts'
import { constantOf, type Value } from './value.ts'
import type { Weight } from './weights.ts'

export function importGraph(
  nodes: readonly GraphNode[],
  weights: ReadonlyMap<string, Weight>,
  outputs: ReadonlyMap<string, string>,
): Graph {
  const byName = new Map(nodes.map(node => [node.name, node]))
  const order = nodesFor([...outputs.values()], byName)
  const unknown = new Set(order.filter(({ op }) => !isKnown(op)).map(({ op }) => op))
  if (unknown.size > 0) throw unsupported([...unknown])

  const net = createNetwork('tensorflow')
  const made = new Map<string, Value[]>()
  const valueAt = (reference: string): Value => {
    const { name, port } = parseReference(reference)
    const value = made.get(name)?.[port]
    if (value === undefined) throw new CorunError('invalid-model', `the graph has no value "${reference}"`)
    return value
  }
  for (const node of order) {
    net.at(node.name)
    if (node.op === 'Const') made.set(node.name, [constantOf(weightOf(node, weights))])
    else if (node.op === 'Placeholder')
      made.set(node.name, [net.input(node.name, shapeOf(node), typeOf(node))])
    else {
      const result = graphOperators[node.op]?.(net, readNode(node, dataInputs(node).map(valueAt))) ?? []
      made.set(node.name, Array.isArray(result) ? result : [result])
    }
  }
  return net.finish(new Map([...outputs].map(([name, reference]) => [name, valueAt(reference)])))
}

/** What the model says are its outputs, else what no node uses. ONNX names -> names in the graph. */
export function graphOutputs(
  { signature, userDefinedMetadata }: ModelArtifacts,
  nodes: readonly GraphNode[],
) {
  const signed = signature?.outputs ?? userDefinedMetadata?.signature?.outputs
  const byName = new Set(nodes.map(({ name }) => name))
  const stated = Object.entries(signed ?? {}).map(
    ([key, { name = key }]) => [key.replace(/:0$/, ''), name] as const,
  )
  if (stated.length > 0 && stated.every(([, name]) => byName.has(parseReference(name).name)))
    return new Map(stated)
  const used = new Set(nodes.flatMap(dataInputs).map(reference => parseReference(reference).name))
  return new Map(
    nodes
      .filter(({ name, op }) => !used.has(name) && op !== 'Const')
      .map(({ name }) => [name, name] as const),
  )
}

const isKnown = (op: string) => op === 'Const' || op === 'Placeholder' || Object.hasOwn(graphOperators, op)

/** Inputs that begin with ^ only order the nodes. */
const dataInputs = ({ input }: GraphNode) => input.filter(name => !name.startsWith('^'))

function parseReference(reference: string): { name: string; port: number } {
  const [, name = reference, port = '0'] = /^(.*?)(?::(\d+))?$/.exec(reference) ?? []
  return { name, port: Number(port) }
}

/** What `outputs` need, each node after its inputs. */
function nodesFor(outputs: readonly string[], byName: ReadonlyMap<string, GraphNode>): GraphNode[] {
  const done = new Set<string>()
  const order: GraphNode[] = []
  const pending = outputs.map(reference => ({ reference, inputsDone: false })).reverse()
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { name } = parseReference(next.reference)
    const node = byName.get(name)
    if (node === undefined) throw new CorunError('invalid-model', `the graph has no node "${name}"`)
    if (next.inputsDone) order.push(node)
    if (done.has(name)) continue
    done.add(name)
    pending.push({ reference: name, inputsDone: true })
    pending.push(...dataInputs(node).map(reference => ({ reference, inputsDone: false })))
  }
  return order
}

function weightOf({ name }: GraphNode, weights: ReadonlyMap<string, Weight>): Weight {
  const weight = weights.get(name)
  if (weight === undefined) throw new CorunError('invalid-model', `the weights have no "${name}"`)
  return weight
}

function shapeOf({ name, attr }: GraphNode): (number | null)[] {
  const shape = attr.shape?.shape
  if (shape === undefined || shape.unknownRank === true) {
    throw new CorunError('invalid-model', `input "${name}" has no shape: export the model with one`)
  }
  return (shape.dim ?? []).map(({ size = -1 }) => (Number(size) < 0 ? null : Number(size)))
}

/** DT_FLOAT is 1; whole numbers of every width are int32 in TensorFlow.js. */
function typeOf({ attr }: GraphNode): Value['type'] {
  const type = attr.dtype?.type ?? 'DT_FLOAT'
  if (type === 'DT_FLOAT' || type === 1) return 'float32'
  return type === 'DT_BOOL' || type === 10 ? 'bool' : 'int32'
}
