/** What a fixture keeps of a gradient: a few numbers that a wrong gradient would not have. */
import { numbersOf } from './numbers.ts'

/** Euclidean norm, largest absolute entry, and the sum of the entries with random signs. */
export type Summary = readonly [norm: number, largest: number, signed: number]

/** `name` chooses the signs. Summed in float64. */
export function summarize(name: string, gradient: Float32Array | Float64Array): Summary {
  const next = numbersOf(`signs of ${name}`, 0)
  let [squares, largest, signed] = [0, 0, 0]
  for (const value of gradient) {
    squares += value * value
    largest = Math.max(largest, Math.abs(value))
    signed += next() < 0.5 ? -value : value
  }
  return [Math.sqrt(squares), largest, signed]
}
