import { suite } from 'uvu'
import { createNode, float, floatTensor, int } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/activation')

// Points 1/8 apart from 0 by at least 1/16, so that no finite difference crosses the kink.
const kinked = { dims: [3, 20], apart: true }
const smooth = { dims: [3, 5], low: -2, high: 2 }
const positive = { dims: [3, 5], low: 1, high: 2 }

for (const opType of ['Relu', 'LeakyRelu', 'Abs']) {
  test(`${opType} has the gradient of finite differences`, () =>
    checkGradients(
      opType,
      operator(opType, [kinked], { attributes: opType === 'LeakyRelu' ? { alpha: float(0.3) } : {} }),
    ))
}

for (const opType of ['Sigmoid', 'Tanh', 'Exp', 'Erf', 'Neg']) {
  test(`${opType} has the gradient of finite differences`, () =>
    checkGradients(opType, operator(opType, [smooth])))
}

for (const opType of ['Log', 'Sqrt', 'Reciprocal']) {
  test(`${opType} of positive numbers`, () => checkGradients(opType, operator(opType, [positive])))
}

for (const attributes of [
  {},
  { alpha: float(0.25), beta: float(0.4) },
  { alpha: float(-0.2), beta: float(0.5) },
]) {
  test(`HardSigmoid with ${Object.keys(attributes).length ? 'a slope and offset of its own' : 'the default slope'} (${JSON.stringify(attributes)})`, () =>
    checkGradients('HardSigmoid', operator('HardSigmoid', [kinked], { attributes, delta: 1 / 128 })))
}

test('HardSwish has the gradient of finite differences', () =>
  checkGradients('HardSwish', operator('HardSwish', [{ dims: [4, 20], apart: true }])))

for (const [low, high] of [
  [0, 6],
  [-1, 1],
  [undefined, 1],
  [0.5, undefined],
]) {
  test(`Clip to ${low} .. ${high}`, () =>
    checkGradients('Clip', {
      inputs: [{ dims: [4, 30], apart: true }],
      nodes: [
        createNode('Clip', ['x0', low === undefined ? '' : 'low', high === undefined ? '' : 'high'], ['y']),
      ],
      constants: { low: floatTensor([], [low ?? 0]), high: floatTensor([], [high ?? 0]) },
    }))
}

for (const opType of ['Softmax', 'LogSoftmax']) {
  for (const axis of [-1, 1, 0]) {
    test(`${opType} over axis ${axis}`, () =>
      checkGradients(opType, operator(opType, [{ dims: [2, 3, 4] }], { attributes: { axis: int(axis) } })))
  }
}

test.run()
