import { suite } from 'uvu'
import { createNode, int, int64Tensor } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/reduce')

for (const opType of ['ReduceSum', 'ReduceMean']) {
  for (const axes of [[1], [0, 2], [-1], null]) {
    for (const keepdims of [0, 1]) {
      test(`${opType} over ${axes ? `axes ${axes.join(', ')}` : 'all axes'}, keepdims ${keepdims}`, () =>
        checkGradients(
          opType,
          operator(opType, [{ dims: [2, 3, 4] }], {
            integers: axes ? [axes] : [],
            attributes: { keepdims: int(keepdims) },
          }),
        ))
    }
  }
}

const reductions: [string, { low?: number; high?: number; apart?: boolean }][] = [
  ['ReduceMax', { apart: true }],
  ['ReduceMin', { apart: true }],
  ['ReduceL1', { apart: true }],
  ['ReduceL2', {}],
  ['ReduceSumSquare', {}],
  ['ReduceLogSum', { low: 1, high: 2 }],
  ['ReduceLogSumExp', {}],
  ['ReduceProd', { low: 0.5, high: 1.5 }],
]
for (const [opType, range] of reductions) {
  for (const axes of [[1], [0, -1], null]) {
    for (const keepdims of [0, 1]) {
      test(`${opType} over ${axes ? `axes ${axes.join(', ')}` : 'all axes'}, keepdims ${keepdims}`, () =>
        checkGradients(
          opType,
          operator(opType, [{ dims: [2, 3, 4], ...range }], {
            integers: axes ? [axes] : [],
            attributes: { keepdims: int(keepdims) },
          }),
        ))
    }
  }
}

for (const noop of [0, 1]) {
  test(`ReduceMean over an empty list of axes, noop_with_empty_axes ${noop}`, () =>
    checkGradients(
      'empty axes',
      operator('ReduceMean', [{ dims: [2, 3] }], {
        integers: [[]],
        attributes: { noop_with_empty_axes: int(noop) },
      }),
    ))
}

test('the gradient of a maximum is shared between equals', () =>
  checkGradients('ties', {
    inputs: [{ dims: [2, 3] }],
    nodes: [
      createNode('Concat', ['x0', 'x0'], ['both'], { axis: int(1) }),
      createNode('ReduceMax', ['both', 'axes'], ['y']),
    ],
    constants: { axes: int64Tensor([1]) },
  }))

test('ReduceSum that is told to do nothing without axes', () =>
  checkGradients(
    'noop',
    operator('ReduceSum', [{ dims: [2, 3] }], { attributes: { noop_with_empty_axes: int(1) } }),
  ))

test.run()
