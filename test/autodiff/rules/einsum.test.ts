import { suite } from 'uvu'
import { text } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/einsum')

const cases: [string, number[][]][] = [
  [
    'ij,jk->ik',
    [
      [2, 3],
      [3, 4],
    ],
  ],
  [
    'ij,jk',
    [
      [2, 3],
      [3, 4],
    ],
  ],
  [
    'bhid,bhjd->bhij',
    [
      [2, 2, 3, 4],
      [2, 2, 5, 4],
    ],
  ],
  ['nhwpqc->nchpwq', [[1, 2, 2, 2, 2, 3]]],
  ['ij->j', [[2, 3]]],
  ['ij->', [[2, 3]]],
  ['i,j->ij', [[3], [4]]],
  ['i,i->', [[3], [3]]],
  [
    'bi,ij,bj->b',
    [
      [2, 3],
      [3, 4],
      [2, 4],
    ],
  ],
  [
    '...ij,...jk->...ik',
    [
      [2, 2, 3],
      [2, 3, 4],
    ],
  ],
  [
    '...ij,jk->...ik',
    [
      [2, 2, 2, 3],
      [3, 4],
    ],
  ],
  [
    'ij,kj->i',
    [
      [2, 3],
      [4, 3],
    ],
  ],
]
for (const [equation, dims] of cases) {
  test(`Einsum ${equation}`, () =>
    checkGradients(
      equation,
      operator(
        'Einsum',
        dims.map(each => ({ dims: each })),
        { attributes: { equation: text(equation) } },
      ),
    ))
}

test.run()
