import { suite } from 'uvu'
import { type Attribute, createNode, float, floatTensor, text } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/soft-activation')

// Points 1/8 apart from 0 by at least 1/16, so that no finite difference crosses a kink at 0.
const kinked = { dims: [3, 16], apart: true }

const cases: [string, Record<string, Attribute>[], number?][] = [
  ['Elu', [{}, { alpha: float(0.5) }]],
  ['Celu', [{}, { alpha: float(2) }]],
  ['Selu', [{}, { alpha: float(1.5), gamma: float(0.75) }]],
  ['ThresholdedRelu', [{ alpha: float(0.5) }]],
  ['Shrink', [{ lambd: float(0.5), bias: float(0.25) }]],
  ['Softplus', [{}]],
  ['Softsign', [{}]],
  ['Mish', [{}]],
  ['Gelu', [{}, { approximate: text('tanh') }], 20],
]
for (const [opType, variants, opset = 18] of cases) {
  for (const attributes of variants) {
    test(`${opType} with ${Object.keys(attributes).join(' and ') || 'defaults'} has the gradient of finite differences`, () =>
      checkGradients(opType, operator(opType, [kinked], { attributes, opset })))
  }
}

for (const dims of [[3, 1, 1], [1], [3, 2, 8]]) {
  test(`PRelu by input and by a slope of shape ${dims.join(', ')}`, () =>
    checkGradients('PRelu', operator('PRelu', [{ dims: [2, 3, 2, 8], apart: true }, { dims }])))
}

test('Gelu that an exporter spelled with Erf', () =>
  checkGradients('spelled', {
    inputs: [{ dims: [3, 8], low: -3, high: 3 }],
    nodes: [
      createNode('Div', ['x0', 'root'], ['a']),
      createNode('Erf', ['a'], ['e']),
      createNode('Add', ['e', 'one'], ['f']),
      createNode('Mul', ['x0', 'f'], ['g']),
      createNode('Mul', ['g', 'half'], ['y']),
    ],
    constants: {
      root: floatTensor([], [Math.SQRT2]),
      one: floatTensor([], [1]),
      half: floatTensor([], [0.5]),
    },
  }))

test.run()
