/**
 * Calls of a model's own functions, each replaced by the function's body, so that everything above knows operators
 * alone. Exporters write a function for a module, or for an operator that ONNX lacks. What a call means:
 * FunctionProto in onnx.proto of onnx/onnx.
 */
import { clone, create } from '@bufbuild/protobuf'
import { CorunError } from '../core/errors.ts'
import {
  type AttributeProto,
  AttributeProtoSchema,
  type FunctionProto,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  NodeProtoSchema,
} from './onnx_pb.ts'

interface Book {
  functions: ReadonlyMap<string, FunctionProto>
  /** Gives a value a name that no other value has. */
  unique: (stem: string) => string
}

/**
 * In place; a model without functions stays as it is. Values of a body get names below the call's: call/value. The
 * same model gets the same names every time.
 * @throws CorunError `invalid-model` when a function calls itself
 */
export function inlineFunctions(model: ModelProto): void {
  const { graph, functions, opsetImport } = model
  if (!graph || functions.length === 0) return
  const known = new Map(functions.map(each => [keyOf(each.domain, each.name, each.overload), each]))
  graph.node = expanded(graph.node, { functions: known, unique: uniqueIn(graph) }, [])
  model.functions = []
  // Versions of a domain that both import are compatible by the format's own rule.
  for (const own of functions.flatMap(each => each.opsetImport)) {
    const there = opsetImport.some(({ domain }) => standard(domain) === standard(own.domain))
    if (!there) opsetImport.push(own)
  }
}

/** `calls`: the functions whose bodies lie around these nodes. */
function expanded(nodes: readonly NodeProto[], book: Book, calls: readonly string[]): NodeProto[] {
  return nodes.flatMap(node => {
    for (const body of bodiesOf(node)) body.node = expanded(body.node, book, calls)
    const key = keyOf(node.domain, node.opType, node.overload)
    const called = book.functions.get(key)
    if (!called) return [node]
    if (calls.includes(key)) {
      throw new CorunError('invalid-model', `function "${key}" calls itself: ${[...calls, key].join(' > ')}`)
    }
    return expanded(bodyOf(called, node, book), book, [...calls, key])
  })
}

/** The function's nodes with the call's inputs, outputs and attributes in place of its own. */
function bodyOf(called: FunctionProto, call: NodeProto, { unique }: Book): NodeProto[] {
  const path = call.name || call.output.find(name => name !== '') || call.opType
  const names = new Map([['', '']])
  for (const [index, name] of called.input.entries()) names.set(name, call.input[index] ?? '')
  const passedOn: NodeProto[] = []
  for (const [index, name] of called.output.entries()) {
    const output = call.output[index] ?? ''
    const input = names.get(name)
    if (input !== undefined) {
      if (output)
        passedOn.push(create(NodeProtoSchema, { opType: 'Identity', input: [input], output: [output] }))
    } else if (output) names.set(name, output)
  }
  const nodes = called.node.map(node => clone(NodeProtoSchema, node))
  for (const name of nodes.flatMap(valuesMadeIn))
    if (!names.has(name)) names.set(name, unique(`${path}/${name}`))
  for (const node of nodes) {
    rename(node, name => names.get(name) ?? name)
    fillAttributes(node, called, call)
    node.name = `${path}/${node.name || node.opType}`
  }
  return [...nodes, ...passedOn]
}

/** In a function an attribute may stand for one of the call's, for its default, or, without either, for none. */
function fillAttributes(node: NodeProto, called: FunctionProto, call: NodeProto): void {
  node.attribute = node.attribute.flatMap((attribute): AttributeProto[] => {
    const { name, refAttrName } = attribute
    if (refAttrName === '') return [attribute]
    const asked = (given: AttributeProto) => given.name === refAttrName
    const given = call.attribute.find(asked) ?? called.attributeProto.find(asked)
    return given ? [Object.assign(clone(AttributeProtoSchema, given), { name })] : []
  })
  for (const inner of bodiesOf(node).flatMap(body => body.node)) fillAttributes(inner, called, call)
}

/** Every value that the node mentions, those of the bodies of If, Loop and Scan too. */
function rename(node: NodeProto, to: (name: string) => string): void {
  node.input = node.input.map(to)
  node.output = node.output.map(to)
  for (const body of bodiesOf(node)) {
    const named = [...body.input, ...body.output, ...body.valueInfo, ...body.initializer]
    for (const value of named) value.name = to(value.name)
    for (const inner of body.node) rename(inner, to)
  }
}

function valuesMadeIn(node: NodeProto): string[] {
  return [...node.output, ...bodiesOf(node).flatMap(valuesOf)]
}

function valuesOf({ input, initializer, node }: GraphProto): string[] {
  return [...input, ...initializer].map(({ name }) => name).concat(node.flatMap(valuesMadeIn))
}

function uniqueIn(graph: GraphProto): Book['unique'] {
  const taken = new Set(valuesOf(graph))
  return stem => {
    let name = stem
    for (let count = 1; taken.has(name); count++) name = `${stem}_${count}`
    taken.add(name)
    return name
  }
}

const bodiesOf = ({ attribute }: NodeProto): GraphProto[] =>
  attribute.flatMap(({ g, graphs }) => (g ? [g, ...graphs] : graphs))

const standard = (domain: string): string => (domain === 'ai.onnx' ? '' : domain)

const keyOf = (domain: string, name: string, overload: string): string =>
  [standard(domain), name, overload].filter(part => part !== '').join('.')
