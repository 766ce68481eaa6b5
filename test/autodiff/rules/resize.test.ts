import { suite } from 'uvu'
import {
  type Attribute,
  createNode,
  float,
  floatTensor,
  int64Tensor,
  ints,
  text,
} from '../../../runtime/onnx/index.ts'
import { checkGradients } from '../gradient-checker.ts'

const test = suite('autodiff/rules/resize')

interface Resizing {
  scales?: number[]
  sizes?: number[]
  attributes?: Record<string, Attribute>
}

function check(name: string, { scales, sizes, attributes = {} }: Resizing) {
  return checkGradients(name, {
    inputs: [{ dims: [2, 2, 4, 5] }],
    nodes: [
      createNode(
        'Resize',
        ['x0', '', scales ? 'scales' : '', ...(sizes ? ['sizes'] : [])],
        ['y'],
        attributes,
      ),
    ],
    constants: {
      ...(scales ? { scales: floatTensor([scales.length], scales) } : {}),
      ...(sizes ? { sizes: int64Tensor(sizes) } : {}),
    },
  })
}

const targets: Record<string, Resizing> = {
  'to twice the size': { scales: [1, 1, 2, 2] },
  'by factors that are no whole numbers': { scales: [1, 1, 1.5, 2.3] },
  'to half the size': { scales: [1, 1, 0.5, 0.6] },
  'to given sizes': { sizes: [2, 2, 7, 3] },
  'along two named axes': { sizes: [8, 9], attributes: { axes: ints([-2, 3]) } },
}
const modes: [string, string[]][] = [
  ['nearest', ['half_pixel', 'asymmetric', 'align_corners']],
  ['linear', ['half_pixel', 'pytorch_half_pixel', 'half_pixel_symmetric', 'align_corners', 'asymmetric']],
]
for (const [mode, coordinates] of modes) {
  for (const coordinate of coordinates) {
    for (const [name, target] of Object.entries(targets)) {
      test(`Resize ${mode}, ${coordinate}, ${name}`, () =>
        check(name, {
          ...target,
          attributes: {
            mode: text(mode),
            coordinate_transformation_mode: text(coordinate),
            ...target.attributes,
          },
        }))
    }
  }
}

for (const rounding of ['floor', 'ceil', 'round_prefer_ceil', 'round_prefer_floor']) {
  test(`Resize nearest, ${rounding}`, () =>
    check(rounding, {
      scales: [1, 1, 3, 1.5],
      attributes: { nearest_mode: text(rounding), coordinate_transformation_mode: text('asymmetric') },
    }))
}

test('Resize cubic', () =>
  check('cubic', { scales: [1, 1, 2, 1.5], attributes: { mode: text('cubic'), cubic_coeff_a: float(-0.5) } }))

test.run()
