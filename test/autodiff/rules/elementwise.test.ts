import { suite } from 'uvu'
import { createNode, floatTensor } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/elementwise')

const shapes = {
  'equal shapes': [
    [2, 3, 4],
    [2, 3, 4],
  ],
  'a channel vector': [
    [2, 3, 4],
    [3, 1],
  ],
  'a scalar': [[2, 3, 4], []],
  'both sides repeated': [
    [2, 1, 4],
    [3, 1],
  ],
  'ones that stay ones': [
    [1, 3, 1],
    [1, 3, 4],
  ],
} as const

for (const opType of ['Add', 'Sub', 'Mul', 'Div']) {
  for (const [shape, [a, b]] of Object.entries(shapes)) {
    test(`${opType} of ${shape} has the gradients of finite differences`, () =>
      checkGradients(opType, operator(opType, [{ dims: [...a] }, { dims: [...b], low: 1, high: 2 }])))
  }
}

for (const exponent of [2, 3, 0.5, -1.5]) {
  test(`Pow with the constant exponent ${exponent}`, () =>
    checkGradients('Pow', {
      inputs: [{ dims: [2, 5], low: 1, high: 2 }],
      nodes: [createNode('Pow', ['x0', 'p'], ['y'])],
      constants: { p: floatTensor([], [exponent]) },
    }))
}

test('Pow by base and exponent, which broadcast', () =>
  checkGradients(
    'Pow',
    operator('Pow', [
      { dims: [2, 5], low: 1, high: 2 },
      { dims: [5], low: 1, high: 2 },
    ]),
  ))

test('Sum of three tensors that broadcast', () =>
  checkGradients('Sum', operator('Sum', [{ dims: [2, 5] }, { dims: [5] }, { dims: [2, 1] }])))

for (const opType of ['Max', 'Min']) {
  test(`${opType} of three tensors that broadcast`, () =>
    checkGradients(opType, {
      inputs: [
        { dims: [4, 5], apart: true },
        { dims: [5], apart: true },
      ],
      // Shifted by half of the distance between points, so that no two operands tie.
      nodes: [createNode('Add', ['x1', 'shift'], ['s']), createNode(opType, ['x0', 's', 'c'], ['y'])],
      constants: { shift: floatTensor([], [1 / 16]), c: floatTensor([], [opType === 'Max' ? -1 : 1]) },
    }))
  test(`${opType} of one tensor twice gives it the whole gradient`, () =>
    checkGradients(opType, {
      inputs: [{ dims: [3, 4] }],
      nodes: [createNode(opType, ['x0', 'x0'], ['y'])],
    }))
}

test('Mean of three tensors that broadcast', () =>
  checkGradients('Mean', operator('Mean', [{ dims: [2, 5] }, { dims: [5] }, { dims: [2, 1] }])))

test('Where passes the gradient to the side that was chosen', () =>
  checkGradients('Where', {
    inputs: [{ dims: [2, 4] }, { dims: [4] }],
    nodes: [createNode('Where', ['c', 'x0', 'x1'], ['y'])],
    constants: { c: { type: 'bool', dims: [2, 1], data: Uint8Array.of(1, 0) } },
  }))

test('an input that is used twice by one node, and again later, gets the sum', () =>
  checkGradients('twice', {
    inputs: [{ dims: [2, 4] }],
    nodes: [
      createNode('Mul', ['x0', 'x0'], ['square']),
      createNode('Tanh', ['square'], ['tanh']),
      createNode('Sub', ['tanh', 'x0'], ['y']),
    ],
  }))

test.run()
