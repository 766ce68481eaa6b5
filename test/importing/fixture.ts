/** Networks with the answers that TensorFlow.js gave (scripts/oracle/ask-tensorflow.mjs), and Corun's own. */
import { readFile } from 'node:fs/promises'
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { packageRoot } from '../../runtime/core/package-root.ts'

export interface Answer {
  name: string
  /** TensorFlow's: channels last. */
  shape: number[]
  data: number[]
}

export interface Fixture {
  json: { modelTopology: { node?: { name: string; op: string }[] }; weightsManifest: unknown[] }
  /** Base64. */
  weights: string
  /** Of a package's network: its file, and what the inputs are multiplied by. */
  file: string
  scale: number
  outputs?: string[]
  shapes: number[][]
  answers: Answer[]
}

export async function readFixture(name: string): Promise<Fixture> {
  return JSON.parse(await readFile(`${packageRoot}/test/fixtures/importing/${name}.json`, 'utf8'))
}

/** Runs a model with one input; values of rank 4 are turned to channels first and back. */
export async function answersOf(
  model: Uint8Array,
  shape: readonly number[],
  values: Float32Array,
): Promise<Map<string, Answer>> {
  const session = await InferenceSession.create(model, { intraOpNumThreads: 1 })
  try {
    const [input = ''] = session.inputNames
    const fed = shape.length === 4 ? turn(values, shape, [0, 3, 1, 2]) : { shape, data: values }
    const results = await session.run({ [input]: new Tensor('float32', fed.data, [...fed.shape]) })
    return new Map(
      Object.entries(results).map(([name, { dims, data }]) => {
        const plain = { shape: [...dims], data: Float32Array.from(data as Float32Array) } // all outputs here are float32
        const turned = dims.length === 4 ? turn(plain.data, dims, [0, 2, 3, 1]) : plain
        return [name, { name, shape: [...turned.shape], data: [...turned.data] }]
      }),
    )
  } finally {
    await session.release()
  }
}

/** By the definition of a transposition: the place of each element is computed from its indices. */
function turn(data: Float32Array, shape: readonly number[], order: readonly number[]) {
  const next = order.map(axis => shape[axis] ?? 1)
  const turned = new Float32Array(data.length)
  for (let to = 0; to < data.length; to += 1) {
    let rest = to
    const index = next
      .toReversed()
      .map(size => {
        const at = rest % size
        rest = Math.floor(rest / size)
        return at
      })
      .toReversed()
    const from = shape.reduce((place, size, axis) => place * size + (index[order.indexOf(axis)] ?? 0), 0)
    turned[to] = data[from] ?? 0
  }
  return { shape: next, data: turned }
}

/** The largest difference of an element, as a part of the largest element. */
export function worst(found: Answer | undefined, expected: Answer): number {
  if (found === undefined || found.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY
  const largest = Math.max(...expected.data.map(Math.abs))
  return (
    Math.max(...expected.data.map((value, at) => Math.abs(value - (found.data[at] ?? Number.NaN)))) / largest
  )
}
