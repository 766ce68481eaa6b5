import { suite } from 'uvu'
import { createNode, int, ints, text } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/conv')

interface Shape {
  x: number[]
  w: number[]
  group?: number
  strides?: number[]
  dilations?: number[]
  pads?: number[]
  autoPad?: string
}

const cases: Record<string, Shape> = {
  'a dense 3x3 kernel': { x: [2, 3, 6, 7], w: [4, 3, 3, 3], pads: [1, 1, 1, 1] },
  'no padding': { x: [2, 3, 6, 7], w: [4, 3, 3, 2] },
  'uneven padding': { x: [1, 2, 5, 6], w: [3, 2, 3, 3], pads: [0, 1, 2, 1] },
  'more padding than the kernel reaches': { x: [1, 2, 4, 4], w: [2, 2, 2, 2], pads: [2, 3, 2, 2] },
  'stride 2': { x: [2, 3, 8, 7], w: [4, 3, 3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
  'strides that leave rows unread': { x: [1, 2, 8, 9], w: [2, 2, 3, 3], strides: [3, 2] },
  'strides 2 and 1': { x: [2, 2, 8, 6], w: [3, 2, 5, 3], strides: [2, 1], pads: [2, 1, 2, 1] },
  dilation: { x: [1, 2, 8, 9], w: [3, 2, 3, 3], dilations: [2, 3], pads: [2, 1, 0, 3] },
  'dilation and stride': {
    x: [1, 2, 9, 9],
    w: [3, 2, 3, 2],
    dilations: [2, 2],
    strides: [2, 3],
    pads: [1, 1, 1, 1],
  },
  'one dimension': { x: [2, 3, 11], w: [4, 3, 3], strides: [2], pads: [1, 1] },
  'three dimensions': { x: [1, 2, 4, 5, 4], w: [2, 2, 2, 3, 2], strides: [1, 2, 1] },
  'a 1x1 kernel on a small map': { x: [3, 4, 5, 5], w: [6, 4, 1, 1] },
  'a 1x1 kernel on a large map': { x: [2, 3, 15, 16], w: [4, 3, 1, 1] },
  'a 1x1 kernel on a single position': { x: [3, 4, 1, 1], w: [6, 4, 1, 1] },
  'a 1x1 kernel with stride 2': { x: [2, 3, 7, 6], w: [4, 3, 1, 1], strides: [2, 2] },
  'a 1x1 kernel with padding': { x: [2, 3, 4, 4], w: [4, 3, 1, 1], pads: [1, 1, 1, 1] },
  'two groups': { x: [2, 4, 6, 5], w: [6, 2, 3, 3], group: 2, pads: [1, 1, 1, 1] },
  'two groups with stride 2': {
    x: [2, 4, 6, 5],
    w: [6, 2, 3, 3],
    group: 2,
    strides: [2, 2],
    pads: [1, 1, 1, 1],
  },
  'two groups of 1x1': { x: [2, 4, 3, 5], w: [6, 2, 1, 1], group: 2 },
  depthwise: { x: [2, 4, 6, 7], w: [4, 1, 3, 3], group: 4, pads: [1, 1, 1, 1] },
  'depthwise 5x5 with strides 2 and 1': {
    x: [2, 3, 8, 9],
    w: [3, 1, 5, 5],
    group: 3,
    strides: [2, 1],
    pads: [2, 2, 2, 2],
  },
  'depthwise with strides that leave rows unread': {
    x: [2, 3, 8, 8],
    w: [3, 1, 3, 3],
    group: 3,
    strides: [2, 3],
  },
  'depthwise with dilation': {
    x: [2, 3, 9, 9],
    w: [3, 1, 3, 3],
    group: 3,
    dilations: [2, 2],
    pads: [2, 0, 1, 2],
  },
  'depthwise with two outputs a channel': { x: [2, 3, 6, 6], w: [6, 1, 3, 3], group: 3, pads: [1, 1, 1, 1] },
  'automatic padding, odd element last': {
    x: [1, 2, 6, 7],
    w: [3, 2, 4, 4],
    strides: [2, 2],
    autoPad: 'SAME_UPPER',
  },
  'automatic padding, odd element first': {
    x: [1, 2, 6, 7],
    w: [3, 2, 4, 4],
    strides: [2, 2],
    autoPad: 'SAME_LOWER',
  },
}

for (const [name, { x, w, group, strides, dilations, pads, autoPad }] of Object.entries(cases)) {
  test(`Conv with ${name} has the gradients of finite differences by input, weight and bias`, () =>
    checkGradients(
      name,
      operator('Conv', [{ dims: x }, { dims: w }, { dims: w.slice(0, 1) }], {
        attributes: {
          ...(group ? { group: int(group) } : {}),
          ...(strides ? { strides: ints(strides) } : {}),
          ...(dilations ? { dilations: ints(dilations) } : {}),
          ...(pads ? { pads: ints(pads) } : {}),
          ...(autoPad ? { auto_pad: text(autoPad) } : {}),
        },
      }),
    ))
}

interface Transposed extends Shape {
  outputPadding?: number[]
  outputShape?: number[]
}

const transposed: Record<string, Transposed> = {
  'stride 1': { x: [2, 3, 4, 5], w: [3, 4, 3, 3] },
  'stride 2 and padding': { x: [2, 3, 4, 5], w: [3, 2, 4, 4], strides: [2, 2], pads: [1, 1, 1, 1] },
  'an output padding': {
    x: [2, 3, 4, 5],
    w: [3, 2, 3, 3],
    strides: [2, 3],
    pads: [1, 0, 1, 2],
    outputPadding: [1, 2],
  },
  'two groups': { x: [2, 4, 4, 5], w: [4, 3, 3, 2], group: 2, strides: [2, 1] },
  'a group a channel': { x: [2, 4, 4, 5], w: [4, 1, 3, 3], group: 4, strides: [2, 2], pads: [1, 1, 1, 1] },
  dilation: { x: [1, 2, 5, 4], w: [2, 3, 3, 2], dilations: [2, 3] },
  'one dimension': { x: [2, 3, 5], w: [3, 2, 4], strides: [2] },
  'a 1x1 kernel': { x: [2, 3, 4, 4], w: [3, 5, 1, 1] },
  'gaps between the windows': { x: [1, 2, 3, 3], w: [2, 2, 2, 2], strides: [3, 3] },
  'automatic padding, odd element last': {
    x: [1, 2, 4, 5],
    w: [2, 3, 4, 3],
    strides: [2, 2],
    autoPad: 'SAME_UPPER',
  },
  'automatic padding, odd element first': {
    x: [1, 2, 4, 5],
    w: [2, 3, 4, 3],
    strides: [2, 2],
    autoPad: 'SAME_LOWER',
  },
  'a wanted output shape': { x: [1, 2, 4, 5], w: [2, 3, 4, 4], strides: [2, 2], outputShape: [9, 10] },
}

for (const [name, shape] of Object.entries(transposed)) {
  const { x, w, group = 1, strides, dilations, pads, autoPad, outputPadding, outputShape } = shape
  test(`ConvTranspose with ${name} has the gradients of finite differences by input, weight and bias`, () =>
    checkGradients(
      name,
      operator('ConvTranspose', [{ dims: x }, { dims: w }, { dims: [(w[1] ?? 1) * group] }], {
        attributes: {
          group: int(group),
          ...(strides ? { strides: ints(strides) } : {}),
          ...(dilations ? { dilations: ints(dilations) } : {}),
          ...(pads ? { pads: ints(pads) } : {}),
          ...(autoPad ? { auto_pad: text(autoPad) } : {}),
          ...(outputPadding ? { output_padding: ints(outputPadding) } : {}),
          ...(outputShape ? { output_shape: ints(outputShape) } : {}),
        },
      }),
    ))
}

test('a weight that two convolutions share gets the sum of both gradients', () =>
  checkGradients('shared', {
    inputs: [{ dims: [1, 2, 4, 4] }, { dims: [2, 2, 3, 3] }],
    nodes: [
      createNode('Conv', ['x0', 'x1'], ['once'], { pads: ints([1, 1, 1, 1]) }),
      createNode('Conv', ['once', 'x1'], ['y'], { pads: ints([1, 1, 1, 1]) }),
    ],
  }))

test.run()
