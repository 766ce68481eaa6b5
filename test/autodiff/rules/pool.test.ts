import { suite } from 'uvu'
import { type Attribute, createNode, int, ints, text } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/pool')

const windows: Record<string, Record<string, Attribute>> = {
  'windows side by side': { kernel_shape: ints([2, 2]), strides: ints([2, 2]) },
  'windows that overlap': { kernel_shape: ints([3, 3]), strides: ints([2, 1]), pads: ints([1, 1, 1, 1]) },
  'uneven padding': { kernel_shape: ints([2, 3]), pads: ints([0, 1, 1, 2]) },
  'a last window past the edge': { kernel_shape: ints([3, 3]), strides: ints([2, 2]), ceil_mode: int(1) },
  'automatic padding': { kernel_shape: ints([3, 2]), strides: ints([2, 2]), auto_pad: text('SAME_UPPER') },
}

for (const [name, attributes] of Object.entries(windows)) {
  test(`MaxPool with ${name}`, () =>
    checkGradients(name, operator('MaxPool', [{ dims: [2, 2, 6, 7], apart: true }], { attributes })))
  test(`MaxPool with ${name}, by operators that every provider has`, () =>
    checkGradients(
      name,
      operator('MaxPool', [{ dims: [2, 2, 6, 7], apart: true }], { attributes, portable: true }),
    ))
  test(`AveragePool with ${name}`, () =>
    checkGradients(name, operator('AveragePool', [{ dims: [2, 2, 6, 8] }], { attributes })))
  test(`AveragePool that counts padding, with ${name}`, () =>
    checkGradients(
      name,
      operator('AveragePool', [{ dims: [2, 2, 6, 8] }], {
        attributes: { ...attributes, count_include_pad: int(1) },
      }),
    ))
}

for (const portable of [false, true]) {
  test(`MaxPool with dilation${portable ? ', by operators that every provider has' : ''}`, () =>
    checkGradients(
      'dilated',
      operator('MaxPool', [{ dims: [1, 2, 8, 8], apart: true }], {
        attributes: { kernel_shape: ints([3, 2]), dilations: ints([2, 3]) },
        portable,
      }),
    ))
}

for (const portable of [false, true]) {
  test(`MaxPool gives a tie to one element${portable ? ', by operators that every provider has' : ''}`, () =>
    checkGradients('tie', {
      inputs: [{ dims: [1, 2, 4, 1], apart: true }],
      nodes: [
        createNode('Concat', ['x0', 'x0', 'x0'], ['three'], { axis: int(3) }),
        createNode('MaxPool', ['three'], ['y'], { kernel_shape: ints([1, 3]) }),
      ],
      portable,
    }))
}

test('GlobalAveragePool has the gradient of finite differences', () =>
  checkGradients('GlobalAveragePool', operator('GlobalAveragePool', [{ dims: [2, 3, 4, 5] }])))

test('GlobalMaxPool has the gradient of finite differences', () =>
  checkGradients('GlobalMaxPool', operator('GlobalMaxPool', [{ dims: [2, 3, 4, 5], apart: true }])))

test.run()
