import { suite } from 'uvu'
import { codeOf, createNode, int, int64Tensor, ints } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/layout')

const x = [{ dims: [2, 3, 4] }]

test('Reshape', () => checkGradients('Reshape', operator('Reshape', x, { integers: [[4, -1]] })))
test('Flatten', () => checkGradients('Flatten', operator('Flatten', x, { attributes: { axis: int(2) } })))
test('Squeeze', () =>
  checkGradients('Squeeze', operator('Squeeze', [{ dims: [2, 1, 3] }], { integers: [[1]] })))
test('Unsqueeze', () => checkGradients('Unsqueeze', operator('Unsqueeze', x, { integers: [[0, -1]] })))
test('Expand', () =>
  checkGradients('Expand', operator('Expand', [{ dims: [3, 1] }], { integers: [[2, 3, 4]] })))
test('Identity', () => checkGradients('Identity', operator('Identity', x)))
test('Dropout in inference', () => checkGradients('Dropout', operator('Dropout', x)))
test('Transpose', () =>
  checkGradients('Transpose', operator('Transpose', x, { attributes: { perm: ints([2, 0, 1]) } })))
test('Transpose without perm reverses the axes', () => checkGradients('Transpose', operator('Transpose', x)))
test('Cast to float64 and back', () =>
  checkGradients('Cast', {
    inputs: x,
    nodes: [
      createNode('Cast', ['x0'], ['wide'], { to: int(codeOf('float64')) }),
      createNode('Mul', ['wide', 'wide'], ['square']),
      createNode('Cast', ['square'], ['y'], { to: int(codeOf('float32')) }),
    ],
  }))

for (const axis of [0, 1, -1]) {
  test(`Concat on axis ${axis} of two different tensors and one of them again`, () =>
    checkGradients('Concat', {
      inputs: [
        { dims: [2, 3, 4] },
        { dims: [2, 3, 4].map((dim, index) => (index === (axis + 3) % 3 ? 5 : dim)) },
      ],
      nodes: [createNode('Concat', ['x0', 'x1', 'x0'], ['y'], { axis: int(axis) })],
    }))
}

const slices: [string, number[], number[], number[], number[]][] = [
  ['a middle part', [1], [3], [2], [1]],
  ['from the end', [-2], [Number.MAX_SAFE_INTEGER], [1], [1]],
  ['two axes', [1, 0], [3, 2], [2, 1], [1, 1]],
  ['every second', [0], [4], [2], [2]],
  ['every second from 1', [1], [4], [2], [2]],
  ['every third, past the end', [1], [100], [2], [3]],
  ['backwards', [-1], [-100], [2], [-1]],
  ['backwards, every second', [2], [-100], [2], [-2]],
  ['backwards from past the end', [100], [0], [1], [-2]],
  ['a negative axis', [1], [2], [-1], [1]],
]
for (const [name, ...integers] of slices) {
  test(`Slice of ${name}`, () =>
    checkGradients('Slice', operator('Slice', [{ dims: [2, 3, 4] }], { integers })))
}

test('Split of which one part is unused', () =>
  checkGradients('Split', {
    inputs: [{ dims: [2, 6] }],
    nodes: [
      createNode('Split', ['x0', 'counts'], ['a', 'b', 'c'], { axis: int(1) }),
      createNode('Mul', ['c', 'c'], ['y']),
    ],
    constants: { counts: int64Tensor([1, 3, 2]) },
  }))

test('a way through integers has no gradient, and stops its own branch only', () =>
  checkGradients('integers', {
    inputs: [{ dims: [2, 3], low: 0.1, high: 0.9 }],
    nodes: [
      createNode('Cast', ['x0'], ['whole'], { to: int(codeOf('int64')) }),
      createNode('Cast', ['whole'], ['back'], { to: int(codeOf('float32')) }),
      createNode('Sub', ['x0', 'back'], ['y']),
    ],
  }))

test.run()
