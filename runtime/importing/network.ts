/** The ONNX graph that an import builds: nodes, initializers, and the layout in which each value is used. */
import { type Attribute, createNode, type Graph, ints, removeUnused, type Tensor } from '../onnx/index.ts'
import { channelsFirstDims, type Dim, type Layout, orderIsSame, permute, type Value } from './value.ts'
import type { Weight } from './weights.ts'

/** ONNX operator set of imported models. */
const opset = 17
/** The name that ONNX shows for a dimension that is free. */
const batch = 'batch'

export interface Emitted {
  shape: Dim[]
  layout?: Layout
  type?: Value['type']
  attributes?: Record<string, Attribute>
}

export interface Network {
  input(name: string, shape: Dim[], type: Value['type']): Value
  /** Adds a node of one output. `inputs` are names from `use` or `tensor`; '' leaves an optional one out. */
  emit(opType: string, inputs: string[], emitted: Emitted): Value
  /** The same for a node of several outputs of one kind. */
  emitSeveral(opType: string, inputs: string[], outputs: Emitted[]): Value[]
  /** The ONNX name of a value as it lies in `layout`, transposed where it lies otherwise. */
  use(value: Value, layout: Layout): string
  /** The name of an initializer. */
  tensor(tensor: Tensor, stem?: string): string
  weight(weight: Weight, stem?: string): string
  /** Nodes that follow are named after this layer. */
  at(name: string): void
  finish(outputs: ReadonlyMap<string, Value>): Graph
}

export function createNetwork(name: string): Network {
  const graph: Graph = {
    name,
    inputs: [],
    outputs: [],
    nodes: [],
    initializers: new Map(),
    valueInfo: new Map(),
    opsets: new Map([['', opset]]),
    irVersion: 8,
  }
  const taken = new Set<string>()
  /** Values in their other layout, and constants that are initializers already, so that each is made once. */
  const made = new Map<object, Map<Layout, string>>()
  let place = name

  function unique(stem: string): string {
    let free = stem
    for (let count = 1; taken.has(free); count += 1) free = `${stem}_${count}`
    taken.add(free)
    return free
  }

  function remember(key: object, layout: Layout, make: () => string): string {
    const names = made.get(key) ?? new Map<Layout, string>()
    made.set(key, names)
    const present = names.get(layout) ?? make()
    names.set(layout, present)
    return present
  }

  function emitSeveral(opType: string, inputs: string[], outputs: Emitted[]): Value[] {
    const values = outputs.map(
      ({ shape, layout = 'asShaped', type = 'float32' }): Value => ({
        name: unique(place),
        shape,
        layout,
        type,
      }),
    )
    const attributes = outputs[0]?.attributes ?? {}
    graph.nodes.push(
      createNode(
        opType,
        inputs,
        values.map(value => value.name),
        attributes,
      ),
    )
    return values
  }

  function emit(opType: string, inputs: string[], emitted: Emitted): Value {
    const [value] = emitSeveral(opType, inputs, [emitted])
    return value as Value // one output was asked for
  }

  function tensor(content: Tensor, stem = `${place}/constant`): string {
    const free = unique(stem)
    graph.initializers.set(free, content)
    return free
  }

  const weight = (content: Weight, stem?: string) => tensor(content, stem)

  function use(value: Value, layout: Layout): string {
    const { constant, shape } = value
    if (constant !== undefined) {
      return remember(constant, layout, () =>
        weight(layout === 'first' && shape.length === 4 ? permute(constant, [0, 3, 1, 2]) : constant),
      )
    }
    if (value.layout === layout) return value.name
    return remember(value, layout, () => relaid(value, layout))
  }

  function relaid(value: Value, layout: Layout): string {
    const { name, shape, type } = value
    if (orderIsSame(shape)) {
      // Zero keeps the batch, whatever it is.
      const [, ...rest] = layout === 'first' ? channelsFirstDims(shape) : shape
      if (rest.every(dim => dim !== null)) {
        const dims = BigInt64Array.from([0n, ...rest.map(BigInt)])
        const target = tensor({ type: 'int64', dims: [4], data: dims })
        return emit('Reshape', [name, target], { shape, layout, type }).name
      }
    }
    const attributes = { perm: ints(layout === 'first' ? [0, 3, 1, 2] : [0, 2, 3, 1]) }
    return emit('Transpose', [name], { shape, layout, type, attributes }).name
  }

  const port = ({ shape, type }: Value, name: string) => ({
    name,
    type,
    dims: (portLayout(shape) === 'first' ? channelsFirstDims(shape) : shape).map((dim, axis) =>
      dim === null && axis === 0 ? batch : dim,
    ),
  })

  return {
    input(wanted, shape, type) {
      const value: Value = {
        name: unique(wanted),
        shape,
        type,
        layout: portLayout(shape),
      }
      graph.inputs.push(port(value, value.name))
      return value
    },
    emit,
    emitSeveral,
    use,
    tensor,
    weight,
    at(name) {
      place = name
    },
    finish(outputs) {
      const wanted = [...outputs].map(([name, value]) => {
        const output = unique(`${name}/output`)
        graph.nodes.push(createNode('Identity', [use(value, portLayout(value.shape))], [output]))
        graph.outputs.push(port(value, output))
        return [name, output] as const
      })
      mergeIdentities(graph)
      removeUnused(graph)
      for (const [name, output] of wanted) {
        // A value inside that has the name gives it up.
        if (namesOf(graph).has(name)) rename(graph, name, unique(`${name}/inner`))
        rename(graph, output, name)
      }
      return graph
    },
  }
}

/** What goes in and out of rank 4 has its channels first. */
const portLayout = (shape: readonly Dim[]): Layout => (shape.length === 4 ? 'first' : 'asShaped')

function namesOf({ inputs, nodes, initializers }: Graph): Set<string> {
  return new Set([
    ...inputs.map(({ name }) => name),
    ...nodes.flatMap(({ outputs }) => outputs),
    ...initializers.keys(),
  ])
}

function rename(graph: Graph, from: string, to: string): void {
  const renamed = (name: string) => (name === from ? to : name)
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map(renamed)
    node.outputs = node.outputs.map(renamed)
  }
  for (const port of [...graph.inputs, ...graph.outputs]) port.name = renamed(port.name)
  const tensor = graph.initializers.get(from)
  if (tensor === undefined) return
  graph.initializers.delete(from)
  graph.initializers.set(to, tensor)
}

/** An output takes the place of the value that it is, where that is made by a node and is no output yet. */
function mergeIdentities(graph: Graph): void {
  const outputs = new Set(graph.outputs.map(({ name }) => name))
  const made = new Set(graph.nodes.flatMap(node => node.outputs))
  for (const node of [...graph.nodes]) {
    const [from = ''] = node.inputs
    const [to = ''] = node.outputs
    if (node.opType !== 'Identity' || !outputs.has(to) || !made.has(from) || outputs.has(from)) continue
    graph.nodes.splice(graph.nodes.indexOf(node), 1)
    rename(graph, from, to)
  }
}
