/**
 * One checker for every gradient rule. The oracle is central finite differences of L = sum(r * y), with a
 * random cotangent r and the sum taken in float64 over the engine's float32 forward; the analytic gradient is
 * what the walk builds, run by the same engine. Directions are checked beside single elements, so that every
 * element takes part in a check even where there are too many to try one by one.
 */
import * as assert from 'uvu/assert'
import { createEmitter } from '../../runtime/autodiff/emitter.ts'
import { gradientsOf } from '../../runtime/autodiff/gradients.ts'
import { createOperators } from '../../runtime/autodiff/operators/index.ts'
import { valuesOf } from '../../runtime/autodiff/values.ts'
import {
  type Attribute,
  copyGraph,
  createNode,
  type Graph,
  int64Tensor,
  type Node,
  type Tensor,
} from '../../runtime/onnx/index.ts'
import { type Feeds, float, floats, open, random, shaped } from './engine.ts'

export interface Case {
  /** Float inputs that are differentiated by: x0, x1, ... in this order. */
  inputs: { dims: number[]; low?: number; high?: number; apart?: boolean }[]
  /** Uses x0, x1, ..., and constants by name; makes y. */
  nodes: Node[]
  constants?: Record<string, Tensor>
  opset?: number
  /** Half the distance of the finite difference; default 1/64. Powers of two keep float32 exact. */
  delta?: number
  tolerance?: number
  /** Keeps to operators that every execution provider has. */
  portable?: boolean
}

/** One operator: inputs x0, x1, ... (those after the float inputs are int64 constants). */
export function operator(
  opType: string,
  inputs: Case['inputs'],
  {
    attributes = {},
    integers = [],
    outputs = ['y'],
    ...rest
  }: {
    attributes?: Record<string, Attribute>
    integers?: (number[] | null)[]
    outputs?: string[]
  } & Partial<Case> = {},
): Case {
  const names = inputs.map((_, index) => `x${index}`)
  const constants: Record<string, Tensor> = { ...rest.constants }
  for (const [index, values] of integers.entries()) {
    names.push(values ? `c${index}` : '')
    if (values) constants[`c${index}`] = int64Tensor(values)
  }
  return { inputs, nodes: [createNode(opType, names, outputs, attributes)], ...rest, constants }
}

export async function checkGradients(label: string, test: Case): Promise<void> {
  const next = random(label.length * 7919 + test.inputs.length)
  const graph: Graph = {
    name: 'case',
    inputs: test.inputs.map(({ dims }, index) => ({ name: `x${index}`, type: 'float32', dims })),
    outputs: [{ name: 'y', type: undefined, dims: undefined }],
    nodes: test.nodes,
    initializers: new Map(Object.entries(test.constants ?? {})),
    valueInfo: new Map(),
    opsets: new Map([['', test.opset ?? 18]]),
    irVersion: 8,
  }
  const forward = await shaped(copyGraph(graph))
  const { model, yDims } = backward(forward, test.inputs.length, test.portable ?? false)
  const points = test.inputs.map(input => sample(input, next))
  const cotangent = Float32Array.from({ length: yDims.reduce((a, b) => a * b, 1) }, () => next() * 2 - 1)

  const forwardSession = await open(forward)
  const loss = async (at: readonly Float32Array[]): Promise<number> => {
    const y = floats((await forwardSession.run(feedsOf(test, at))).y)
    return y.reduce((sum, value, index) => sum + value * (cotangent[index] ?? 0), 0)
  }
  const backwardSession = await open(model)
  const feeds = { ...feedsOf(test, points), dy: float(yDims, cotangent) }
  const made = await backwardSession.run(feeds)

  const delta = test.delta ?? 1 / 64
  for (const [index, { dims }] of test.inputs.entries()) {
    const gradient = made[`d${index}`]
    assert.equal(gradient?.dims, dims, `${label}: shape of the gradient by x${index}`)
    const analytic = floats(gradient)
    const size = Math.max(...analytic.map(Math.abs), 1e-3)
    const directions = directionsOf(analytic.length, next)
    for (const direction of directions) {
      const shifted = (sign: number) =>
        points.map((point, at) =>
          at === index ? point.map((value, i) => value + sign * delta * (direction[i] ?? 0)) : point,
        )
      const numeric = ((await loss(shifted(1))) - (await loss(shifted(-1)))) / (2 * delta)
      const expected = analytic.reduce((sum, value, i) => sum + value * (direction[i] ?? 0), 0)
      const scale = size * Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0))
      const error = Math.abs(numeric - expected) / scale
      const detail = `${label}: by x${index}, finite difference ${numeric}, gradient ${expected}, error ${error}`
      assert.ok(error < (test.tolerance ?? 2e-3), detail)
    }
  }
  await forwardSession.release()
  await backwardSession.release()
}

function backward(forward: Graph, count: number, portable: boolean): { model: Graph; yDims: number[] } {
  const graph = copyGraph(forward)
  const values = valuesOf(graph)
  const emitter = createEmitter(graph)
  const y = values('y')
  const dy = { ...y, name: 'dy' }
  const names = Array.from({ length: count }, (_, index) => `x${index}`)
  const nodes = [...graph.nodes]
  const bench = { graph, emitter, ops: createOperators(emitter), values, portable }
  const gradients = gradientsOf({ nodes, seeds: new Map([['y', dy]]), wanted: new Set(names) }, bench)
  graph.inputs.push({ name: 'dy', type: 'float32', dims: [...y.dims] })
  graph.outputs = names.map((_, index) => ({ name: `d${index}`, type: undefined, dims: undefined }))
  for (const [index, name] of names.entries()) {
    const gradient = gradients.get(name)
    assert.ok(gradient, `no gradient by ${name}`)
    graph.nodes.push(createNode('Identity', [gradient.name], [`d${index}`]))
  }
  return { model: graph, yDims: [...y.dims] }
}

function feedsOf(test: Case, points: readonly Float32Array[]): Feeds {
  return Object.fromEntries(
    test.inputs.map(({ dims }, index) => [`x${index}`, float(dims, points[index] ?? [])]),
  )
}

/** Multiples of 1/256. `apart`: no two are closer than 1/16, so that no difference crosses a kink or a tie. */
function sample(
  { dims, low = -1, high = 1, apart = false }: Case['inputs'][number],
  next: () => number,
): Float32Array {
  const count = dims.reduce((a, b) => a * b, 1)
  if (apart) {
    const ranks = Array.from({ length: count }, (_, index) => ({ index, key: next() })).sort(
      (a, b) => a.key - b.key,
    )
    return Float32Array.from(ranks, ({ index }) => (index - count / 2 + 0.5) / 8)
  }
  return Float32Array.from({ length: count }, () => Math.round((low + next() * (high - low)) * 256) / 256)
}

/** Single elements (all of a small tensor, eight of a large one) and two random directions of -1 and 1. */
function directionsOf(length: number, next: () => number): Float32Array[] {
  const singles =
    length <= 12
      ? Array.from({ length }, (_, index) => index)
      : Array.from({ length: 8 }, () => Math.floor(next() * length))
  const units = singles.map(index => {
    const direction = new Float32Array(length)
    direction[index] = 1
    return direction
  })
  const mixed = [0, 1].map(() => Float32Array.from({ length }, () => (next() < 0.5 ? -1 : 1)))
  return [...units, ...mixed]
}
