import { suite } from 'uvu'
import { float, int } from '../../../runtime/onnx/index.ts'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/matmul')

const products: [string, number[], number[]][] = [
  ['two matrices', [3, 4], [4, 5]],
  ['a batch and one matrix', [2, 3, 4], [4, 5]],
  ['two batches', [2, 3, 4], [2, 4, 5]],
  ['batches that broadcast', [2, 1, 3, 4], [3, 4, 5]],
  ['one matrix and a batch', [3, 4], [2, 4, 5]],
  ['a vector and a matrix', [4], [4, 5]],
  ['a matrix and a vector', [3, 4], [4]],
  ['a batch and a vector', [2, 3, 4], [4]],
  ['two vectors', [4], [4]],
]
for (const [name, a, b] of products) {
  test(`MatMul of ${name} has the gradients of finite differences`, () =>
    checkGradients(name, operator('MatMul', [{ dims: a }, { dims: b }])))
}

for (const transA of [0, 1]) {
  for (const transB of [0, 1]) {
    test(`Gemm with transA ${transA}, transB ${transB}, alpha, beta and a bias that broadcasts`, () =>
      checkGradients(
        'Gemm',
        operator(
          'Gemm',
          [{ dims: transA ? [4, 3] : [3, 4] }, { dims: transB ? [5, 4] : [4, 5] }, { dims: [5] }],
          {
            attributes: { transA: int(transA), transB: int(transB), alpha: float(0.5), beta: float(2) },
          },
        ),
      ))
  }
}

test('Gemm without a bias', () =>
  checkGradients('Gemm', operator('Gemm', [{ dims: [3, 4] }, { dims: [4, 5] }])))

test.run()
