import { suite } from 'uvu'
import { createNode, int, int64Tensor, text } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/rearrange')

for (const repeats of [
  [1, 2, 1],
  [3, 1, 2],
  [1, 1, 1],
]) {
  test(`Tile by ${repeats.join(', ')}`, () =>
    checkGradients('Tile', operator('Tile', [{ dims: [2, 3, 2] }], { integers: [repeats] })))
}

for (const mode of ['DCR', 'CRD']) {
  test(`DepthToSpace in mode ${mode}`, () =>
    checkGradients(
      mode,
      operator('DepthToSpace', [{ dims: [2, 12, 2, 3] }], {
        attributes: { blocksize: int(2), mode: text(mode) },
      }),
    ))
}

test('SpaceToDepth', () =>
  checkGradients(
    'SpaceToDepth',
    operator('SpaceToDepth', [{ dims: [2, 3, 4, 6] }], { attributes: { blocksize: int(2) } }),
  ))

for (const exclusive of [0, 1]) {
  for (const reverse of [0, 1]) {
    test(`CumSum, exclusive ${exclusive}, reverse ${reverse}`, () =>
      checkGradients('CumSum', {
        inputs: [{ dims: [3, 4] }],
        nodes: [
          createNode('CumSum', ['x0', 'axis'], ['y'], { exclusive: int(exclusive), reverse: int(reverse) }),
        ],
        constants: { axis: { ...int64Tensor([1]), dims: [] } },
      }))
  }
}

for (const upper of [0, 1]) {
  test(`Trilu, upper ${upper}`, () =>
    checkGradients('Trilu', {
      inputs: [{ dims: [2, 4, 4] }],
      nodes: [createNode('Trilu', ['x0', 'k'], ['y'], { upper: int(upper) })],
      constants: { k: { ...int64Tensor([1]), dims: [] } },
    }))
}

test.run()
