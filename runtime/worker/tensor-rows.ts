/** Tensors as rows along their first dimension: put one after another, and taken apart again. Pure. */
import { Tensor } from 'onnxruntime-node'

type Feeds = Readonly<Record<string, Tensor>>

/** Rows of a call: the first dimension that all its tensors share; undefined when they do not, or have no numbers. */
export function rowsOf(feeds: Feeds): number | undefined {
  const tensors = Object.values(feeds)
  const rows = tensors[0]?.dims[0]
  const alike = tensors.every(({ dims, type }) => dims[0] === rows && type !== 'string')
  return rows !== undefined && rows > 0 && alike ? rows : undefined
}

/** Calls with equal texts differ in their rows alone: names, element types and the other dimensions agree. */
export function formOf(feeds: Feeds): string {
  return Object.keys(feeds)
    .sort()
    .map(name => `${name}:${feeds[name]?.type}[${feeds[name]?.dims.slice(1).join()}]`)
    .join(' ')
}

/** All calls as one, in their order. They have the same form. */
export function joinRows(calls: readonly Feeds[]): Record<string, Tensor> {
  const names = Object.keys(calls[0] ?? {})
  return Object.fromEntries(names.map(name => [name, join(calls.flatMap(feeds => feeds[name] ?? []))]))
}

function join(tensors: readonly Tensor[]): Tensor {
  const [first] = tensors
  if (first === undefined) throw new RangeError('no tensors to join; expected at least one')
  const parts = tensors.map(({ data }) => numbersOf(data))
  const length = parts.reduce((sum, part) => sum + part.length, 0)
  const all = emptyLike(numbersOf(first.data), length)
  let at = 0
  for (const part of parts) {
    // Equal element types have equal arrays, which the compiler cannot follow.
    all.set(part as never, at)
    at += part.length
  }
  const rows = tensors.reduce((sum, { dims }) => sum + (dims[0] ?? 0), 0)
  return new Tensor(first.type, all, [rows, ...first.dims.slice(1)])
}

/** Rows `from` to `to` of each output, in memory of their own. Undefined when an output is not `rows` rows of numbers. */
export function takeRows(
  outputs: Readonly<Record<string, unknown>>,
  rows: number,
  [from, to]: [number, number],
): Record<string, Tensor> | undefined {
  const taken: Record<string, Tensor> = {}
  for (const [name, output] of Object.entries(outputs)) {
    if (!(output instanceof Tensor) || output.dims[0] !== rows || output.type === 'string') return undefined
    const length = output.size / rows
    const part = numbersOf(output.data).slice(from * length, to * length)
    taken[name] = new Tensor(output.type, part, [to - from, ...output.dims.slice(1)])
  }
  return taken
}

type Numbers = Exclude<Tensor['data'], string[]>

function numbersOf(data: Tensor['data']): Numbers {
  if (Array.isArray(data)) throw new TypeError('a tensor of text has no rows of numbers')
  return data
}

function emptyLike(data: Numbers, length: number): Numbers {
  // A typed array is made by the constructor of its kind.
  const Kind = data.constructor as new (length: number) => Numbers
  return new Kind(length)
}
