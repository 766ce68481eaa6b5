import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { createEmitter } from '../../runtime/autodiff/emitter.ts'
import { createOperators } from '../../runtime/autodiff/operators/index.ts'
import type { Graph } from '../../runtime/onnx/index.ts'

const test = suite('autodiff/operators')

function emptyGraph(): Graph {
  return {
    name: 'operators',
    inputs: [],
    outputs: [],
    nodes: [],
    initializers: new Map(),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
}

/** [given, axes, what ReduceSum sees, result that keeps the axes]; null: no ReduceSum is needed. */
const sums: [number[], number[], number[] | null, number[]][] = [
  [[4, 3, 1, 1], [1], [4, 3], [4, 1, 1, 1]],
  [
    [4, 3, 1, 1],
    [1, 2, 3],
    [4, 3],
    [4, 1, 1, 1],
  ],
  [
    [4, 3, 2, 1],
    [1, 2],
    [4, 3, 2],
    [4, 1, 1, 1],
  ],
  [[4, 3, 2], [1], [4, 3, 2], [4, 1, 2]],
  [[4, 1, 3], [2], [4, 1, 3], [4, 1, 1]],
  [[4, 1, 1], [1, 2], null, [4, 1, 1]],
  [[1, 1], [0], null, [1, 1]],
]
for (const [dims, axes, seen, kept] of sums) {
  test(`the sum of [${dims}] over ${axes} leaves no axis of 1 behind those that it adds up`, () => {
    for (const keep of [true, false]) {
      const graph = emptyGraph()
      const ops = createOperators(createEmitter(graph))
      const sum = ops.reduceSum({ name: 'x', dims, type: 'float32' }, axes, keep)
      assert.equal(sum.dims, keep ? kept : kept.filter((_, axis) => !axes.includes(axis)))
      const [node, ...more] = graph.nodes.filter(({ opType }) => opType === 'ReduceSum')
      assert.equal(more, [])
      const given = node?.inputs[0] === 'x' ? dims : graph.valueInfo.get(node?.inputs[0] ?? '')?.dims
      assert.equal(given ?? null, seen)
    }
  })
}

test.run()
