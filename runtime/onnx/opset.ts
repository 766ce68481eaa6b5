/**
 * Lifts the standard operators of a graph to operator set 18 at least, in place, so that everything above
 * has to know one form of each operator. What changed in which version is the ONNX change log
 * (docs/Changelog.md of onnx/onnx); operators that no entry names kept their form, or gained only types.
 */
import { CorunError } from '../core/errors.ts'
import { type Attribute, createNode, type Graph, int, type Node, text } from './graph.ts'
import { createNamer } from './names.ts'
import { floatTensor, int64Tensor } from './tensor.ts'

export const TARGET_OPSET = 18
const OLDEST_OPSET = 7 // before it, broadcasting was an attribute

interface Lifting {
  graph: Graph
  name: (stem: string) => string
}

/** Returns what stands in for the node. */
type Lift = (node: Node, lifting: Lifting) => Node[]

/** The change of one operator: models older than `since` go through `lift`. */
const changes: Record<string, { since: number; lift: Lift }[]> = {
  Slice: [{ since: 10, lift: liftSlice }],
  Clip: [{ since: 11, lift: attributesToInputs(['min', 'max']) }],
  Pad: [{ since: 11, lift: attributesToInputs(['pads', 'value']) }],
  TopK: [{ since: 10, lift: attributesToInputs(['k']) }],
  Dropout: [{ since: 12, lift: dropAttributes(['ratio']) }],
  Squeeze: [{ since: 13, lift: attributesToInputs(['axes']) }],
  Unsqueeze: [{ since: 13, lift: attributesToInputs(['axes']) }],
  ReduceSum: [{ since: 13, lift: attributesToInputs(['axes']) }],
  Softmax: [{ since: 13, lift: liftSoftmax }],
  LogSoftmax: [{ since: 13, lift: liftSoftmax }],
  BatchNormalization: [{ since: 14, lift: liftBatchNormalization }],
  Split: [
    { since: 13, lift: attributesToInputs(['split']) },
    { since: 18, lift: liftSplit },
  ],
  Upsample: [{ since: 10, lift: liftResize }],
  Resize: [{ since: 11, lift: liftResize }],
}
for (const reduction of ['Max', 'Min', 'Mean', 'Prod', 'L1', 'L2', 'LogSum', 'LogSumExp', 'SumSquare']) {
  changes[`Reduce${reduction}`] = [{ since: 18, lift: attributesToInputs(['axes']) }]
}

/** @throws CorunError `not-trainable` for operator sets before 7. */
export function liftOpset(graph: Graph): void {
  const version = graph.opsets.get('') ?? 1
  if (version < OLDEST_OPSET) {
    throw new CorunError(
      'not-trainable',
      `operator set ${version} is older than ${OLDEST_OPSET}: export the model again`,
    )
  }
  if (version >= TARGET_OPSET) return
  const lifting: Lifting = { graph, name: createNamer(graph) }
  for (const type of Object.keys(changes)) {
    for (const { since, lift } of changes[type] ?? []) {
      if (version >= since) continue
      graph.nodes = graph.nodes.flatMap(node =>
        node.opType === type && node.domain === '' ? lift(node, lifting) : [node],
      )
    }
  }
  graph.opsets.set('', TARGET_OPSET)
  graph.irVersion = Math.max(graph.irVersion, 8) // the first IR version that goes with operator set 15 and later
}

/** Attributes become inputs after the first, in this order; those left out stay left out. */
function attributesToInputs(names: string[]): Lift {
  return (node, lifting) => {
    const inputs = [node.inputs[0] ?? '']
    const attributes = { ...node.attributes }
    for (const name of names) {
      inputs.push(attributes[name] ? constantOf(node, name, attributes[name], lifting) : '')
      delete attributes[name]
    }
    while (inputs.at(-1) === '') inputs.pop()
    return [{ ...node, inputs, attributes }]
  }
}

function constantOf(
  node: Node,
  name: string,
  attribute: Attribute,
  { graph, name: unique }: Lifting,
): string {
  const output = unique(`${node.outputs[0]}/${name}`)
  if (attribute.type === 'float') graph.initializers.set(output, floatTensor([], [attribute.value]))
  else if (attribute.type === 'int') graph.initializers.set(output, int64Tensor([attribute.value]))
  else if (attribute.type === 'ints') graph.initializers.set(output, int64Tensor(attribute.value))
  else if (attribute.type === 'floats') {
    graph.initializers.set(output, floatTensor([attribute.value.length], attribute.value))
  } else
    throw new CorunError('invalid-model', `${node.opType} "${node.name}": ${name} is a ${attribute.type}`)
  return output
}

function dropAttributes(names: string[]): Lift {
  return node => {
    const kept = Object.entries(node.attributes).filter(([name]) => !names.includes(name))
    return [{ ...node, attributes: Object.fromEntries(kept) }]
  }
}

function liftSlice(node: Node, lifting: Lifting): Node[] {
  const { starts, axes } = node.attributes
  const implied: Attribute | undefined =
    starts?.type === 'ints' ? { type: 'ints', value: starts.value.map((_, axis) => axis) } : undefined
  const attributes = axes || !implied ? node.attributes : { ...node.attributes, axes: implied }
  return attributesToInputs(['starts', 'ends', 'axes'])({ ...node, attributes }, lifting)
}

/** Before 13, softmax ran over all axes from `axis` (default 1) on: flatten, normalize the last, restore. */
function liftSoftmax(node: Node, { graph, name }: Lifting): Node[] {
  const [input = ''] = node.inputs
  const [output = ''] = node.outputs
  const given = node.attributes.axis
  const axis = given?.type === 'int' ? given.value : 1
  const rank = rankOf(graph, input) ?? rankOf(graph, output)
  if (axis === -1 || axis + 1 === rank) return [{ ...node, attributes: { axis: int(-1) } }]
  const shape = name(`${output}/shape`)
  const flat = name(`${output}/flat`)
  const normal = name(`${output}/normal`)
  return [
    createNode('Shape', [input], [shape]),
    createNode('Flatten', [input], [flat], { axis: int(axis) }),
    { ...node, inputs: [flat], outputs: [normal], attributes: { axis: int(-1) } },
    createNode('Reshape', [normal, shape], [output], {}, normal), // the softmax keeps the node's name
  ]
}

function rankOf(graph: Graph, name: string): number | undefined {
  const ports = [...graph.inputs, ...graph.outputs]
  const known = graph.valueInfo.get(name) ?? ports.find(port => port.name === name)
  return known?.dims?.length
}

/** The outputs after the first belong to training mode, in which they meant something else. */
function liftBatchNormalization(node: Node): Node[] {
  const { epsilon, momentum } = node.attributes
  const attributes = { ...(epsilon ? { epsilon } : {}), ...(momentum ? { momentum } : {}) }
  return [{ ...node, outputs: node.outputs.slice(0, 1), attributes }]
}

/** From 18 on a split without sizes says its number of parts. */
function liftSplit(node: Node): Node[] {
  if (node.inputs[1]) return [node]
  return [{ ...node, attributes: { ...node.attributes, num_outputs: int(node.outputs.length) } }]
}

/** Upsample, and Resize of set 10, map pixel i to i * scale without offset and round down. */
function liftResize(node: Node, lifting: Lifting): Node[] {
  if (node.inputs.length > 2) return [node] // an Upsample that was lifted already
  const { mode, scales } = node.attributes
  const sizes = scales ? constantOf(node, 'scales', scales, lifting) : (node.inputs[1] ?? '')
  return [
    {
      ...node,
      opType: 'Resize',
      inputs: [node.inputs[0] ?? '', '', sizes],
      attributes: {
        ...(mode ? { mode } : {}),
        coordinate_transformation_mode: text('asymmetric'),
        nearest_mode: text('floor'),
      },
    },
  ]
}
