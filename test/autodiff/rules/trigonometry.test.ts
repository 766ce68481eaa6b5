import { suite } from 'uvu'
import { checkGradients, operator } from '../gradient-checker.ts'

const test = suite('autodiff/rules/trigonometry')

const domains: Record<string, [number, number]> = {
  Sin: [-3, 3],
  Cos: [-3, 3],
  Tan: [-1, 1],
  Sinh: [-1, 1],
  Cosh: [-1, 1],
  Asin: [-0.75, 0.75],
  Acos: [-0.75, 0.75],
  Atan: [-2, 2],
  Asinh: [-2, 2],
  Acosh: [1.5, 3],
  Atanh: [-0.75, 0.75],
}
for (const [opType, [low, high]] of Object.entries(domains)) {
  test(`${opType} has the gradient of finite differences`, () =>
    checkGradients(opType, operator(opType, [{ dims: [3, 5], low, high }], { delta: 1 / 128 })))
}

test.run()
