/** A node of a TensorFlow graph as its operator reads it: inputs that are made already, and typed attributes. */
import { CorunError } from '../core/errors.ts'
import type { GraphAttribute, GraphNode } from './artifacts.ts'
import type { Value } from './value.ts'
import type { Weight } from './weights.ts'

export interface NodeReader {
  node: GraphNode
  inputs: readonly Value[]
  /** @throws CorunError `invalid-model` when the node has no such input */
  input(index: number): Value
  /** Of an input that must be known when the model is imported, such as a kernel or axes. */
  constant(index: number): Weight
  numbers(index: number): number[]
  integer(name: string, fallback: number): number
  real(name: string, fallback: number): number
  flag(name: string): boolean
  string(name: string, fallback: string): string
  strings(name: string): string[]
  integers(name: string): number[]
}

export function readNode(node: GraphNode, inputs: readonly Value[]): NodeReader {
  const invalid = (what: string) => new CorunError('invalid-model', `${node.op} "${node.name}": ${what}`)
  const attribute = (name: string): GraphAttribute => node.attr[name] ?? {}
  const input = (index: number) => {
    const value = inputs.at(index)
    if (value === undefined) throw invalid(`has no input ${index}`)
    return value
  }
  const constant = (index: number) => {
    const { constant } = input(index)
    if (constant === undefined) throw invalid(`its input ${index} is computed; expected a constant`)
    return constant
  }
  return {
    node,
    inputs,
    input,
    constant,
    numbers: index => Array.from(constant(index).data),
    integer: (name, fallback) => Number(attribute(name).i ?? fallback),
    real: (name, fallback) => Number(attribute(name).f ?? fallback),
    flag: name => attribute(name).b ?? false,
    string(name, fallback) {
      const { s } = attribute(name)
      return s === undefined ? fallback : textOf(s)
    },
    strings: name => (attribute(name).list?.s ?? []).map(textOf),
    integers: name => (attribute(name).list?.i ?? []).map(Number),
  }
}

function textOf(bytes: string | number[]): string {
  return Buffer.from(typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : bytes).toString('utf8')
}
