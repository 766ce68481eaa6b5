import { suite } from 'uvu'
import { text } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/pad')

const cases: [string, string, number[]][] = [
  ['zeros', 'constant', [0, 1, 2, 0]],
  ['zeros here, fewer elements there', 'constant', [-1, 1, 2, -2]],
  ['copies of the edge', 'edge', [1, 0, 2, 3]],
  ['a mirror image', 'reflect', [2, 1, 0, 3]],
  ['the other side', 'wrap', [2, 1, 0, 3]],
]
for (const [name, mode, pads] of cases) {
  test(`Pad with ${name}`, () =>
    checkGradients(
      name,
      operator('Pad', [{ dims: [3, 5] }], { integers: [pads], attributes: { mode: text(mode) }, opset: 19 }),
    ))
}

test('Pad of named axes', () =>
  checkGradients('axes', operator('Pad', [{ dims: [3, 4, 2] }], { integers: [[1, 2], null, [-2]] })))

test.run()
