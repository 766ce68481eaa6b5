import { suite } from 'uvu'
import { createNode, float, floatTensor, int } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/normalization')

for (const dims of [
  [2, 3, 4, 5],
  [4, 3],
]) {
  test(`BatchNormalization of ${dims.length} axes by input, scale and bias, with frozen statistics`, () =>
    checkGradients('BatchNormalization', {
      inputs: [{ dims }, { dims: [3], low: 0.5, high: 2 }, { dims: [3] }],
      nodes: [
        createNode('BatchNormalization', ['x0', 'x1', 'x2', 'mean', 'var'], ['y'], { epsilon: float(0.01) }),
      ],
      constants: { mean: floatTensor([3], [0.5, -1, 0.25]), var: floatTensor([3], [0.5, 2, 1]) },
    }))
}

for (const dims of [
  [2, 3, 4, 5],
  [2, 3, 6],
]) {
  test(`InstanceNormalization of ${dims.length} axes by input, scale and bias`, () =>
    checkGradients(
      'InstanceNormalization',
      operator('InstanceNormalization', [{ dims }, { dims: [3], low: 0.5, high: 2 }, { dims: [3] }], {
        attributes: { epsilon: float(0.01) },
        tolerance: 4e-3,
      }),
    ))
}

for (const [form, size, opset] of [
  ['a scale a channel', 6, 21],
  ['a scale a group', 2, 18],
] as const) {
  test(`GroupNormalization with ${form}, by input, scale and bias`, () =>
    checkGradients(
      form,
      operator(
        'GroupNormalization',
        [{ dims: [2, 6, 3, 4] }, { dims: [size], low: 0.5, high: 2 }, { dims: [size] }],
        {
          attributes: { num_groups: int(2), epsilon: float(0.01) },
          opset,
          tolerance: 4e-3,
        },
      ),
    ))
}

for (const axis of [-1, 1]) {
  test(`RMSNormalization from axis ${axis}`, () =>
    checkGradients(
      'RMSNormalization',
      operator(
        'RMSNormalization',
        [{ dims: [2, 3, 4] }, { dims: axis === 1 ? [3, 4] : [4], low: 0.5, high: 2 }],
        {
          attributes: { axis: int(axis) },
          opset: 23,
          tolerance: 4e-3,
        },
      ),
    ))
}

for (const size of [1, 3, 5]) {
  test(`LRN over ${size} channels`, () =>
    checkGradients(
      'LRN',
      operator('LRN', [{ dims: [2, 5, 3, 2] }], {
        attributes: { size: int(size), alpha: float(0.9), beta: float(0.75), bias: float(0.5) },
      }),
    ))
}

for (const p of [1, 2]) {
  test(`LpNormalization with p ${p}`, () =>
    checkGradients(
      'Lp',
      operator('LpNormalization', [{ dims: [3, 5], apart: true }], {
        attributes: { p: int(p), axis: int(1) },
        tolerance: 4e-3,
      }),
    ))
}

for (const axis of [-1, 1]) {
  test(`LayerNormalization from axis ${axis}`, () => {
    const size = axis === 1 ? [3, 4] : [4]
    return checkGradients(
      'LayerNormalization',
      operator('LayerNormalization', [{ dims: [2, 3, 4] }, { dims: size }, { dims: size }], {
        attributes: { axis: int(axis) },
        tolerance: 4e-3,
      }),
    )
  })
}

test.run()
