import { suite } from 'uvu'
import { createNode, int, int64Tensor, type Tensor } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/index-selection')

const indices = (dims: number[], values: number[]): Tensor => ({ ...int64Tensor(values), dims })

const gathers: [string, number, Tensor][] = [
  ['one index, which drops the axis', 1, indices([], [2])],
  ['one index from the end', 1, indices([], [-1])],
  ['one index in a list', -1, indices([1], [0])],
  ['several, one of them twice', 1, indices([4], [2, 0, 2, -1])],
  ['a table of indices', 0, indices([2, 3], [0, 1, 1, 0, 0, 1])],
  ['no index but one among several axes', 2, indices([1, 1], [3])],
]
for (const [name, axis, tensor] of gathers) {
  test(`Gather of ${name}`, () =>
    checkGradients(name, {
      inputs: [{ dims: [2, 3, 4] }],
      nodes: [createNode('Gather', ['x0', 'i'], ['y'], { axis: int(axis) })],
      constants: { i: tensor },
    }))
}

test('Gather at indices that the graph computes', () =>
  checkGradients('computed', {
    inputs: [{ dims: [5, 3], apart: true }],
    nodes: [
      createNode('ArgMax', ['x0'], ['i'], { axis: int(0), keepdims: int(0) }),
      createNode('Gather', ['x0', 'i'], ['y']),
    ],
  }))

test('GatherElements, with an element taken twice', () =>
  checkGradients('GatherElements', {
    inputs: [{ dims: [3, 4] }],
    nodes: [createNode('GatherElements', ['x0', 'i'], ['y'], { axis: int(-1) })],
    constants: { i: indices([3, 2], [1, 1, 0, -1, 3, 2]) },
  }))

test('GatherND, of slices', () =>
  checkGradients('GatherND', {
    inputs: [{ dims: [2, 3, 4] }],
    nodes: [createNode('GatherND', ['x0', 'i'], ['y'])],
    constants: { i: indices([3, 2], [0, 1, 1, 2, 0, 1]) },
  }))

test('TopK by its values', () =>
  checkGradients(
    'TopK',
    operator('TopK', [{ dims: [3, 8], apart: true }], { integers: [[3]], outputs: ['y', 'places'] }),
  ))

test.run()
