import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { decodeWeights } from '../../runtime/importing/weights.ts'

const test = suite('importing/weights')

const bytes = (data: { buffer: ArrayBufferLike }) => new Uint8Array(data.buffer)

/** Of tfjs-core's io_utils: value = stored * scale + min, whole numbers rounded; float16 as IEEE 754 has it. */
for (const { name, entry, stored, expected } of [
  { name: 'float32', entry: { dtype: 'float32' }, stored: Float32Array.of(1.5, -2), expected: [1.5, -2] },
  { name: 'int32', entry: { dtype: 'int32' }, stored: Int32Array.of(-7, 9), expected: [-7, 9] },
  { name: 'bool', entry: { dtype: 'bool' }, stored: Uint8Array.of(1, 0), expected: [1, 0] },
  {
    name: 'a float in a byte',
    entry: { dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.5, min: -1 } },
    stored: Uint8Array.of(0, 255),
    expected: [-1, 126.5],
  },
  {
    name: 'a float in two bytes',
    entry: { dtype: 'float32', quantization: { dtype: 'uint16', scale: 0.25, min: 2 } },
    stored: Uint16Array.of(0, 65535),
    expected: [2, 16385.75],
  },
  {
    name: 'a whole number in a byte',
    entry: { dtype: 'int32', quantization: { dtype: 'uint8', scale: 0.4, min: -3 } },
    stored: Uint8Array.of(1, 4),
    expected: [-3, -1],
  },
  {
    name: 'a half',
    entry: { dtype: 'float32', quantization: { dtype: 'float16' } },
    stored: Uint16Array.of(0x3c00, 0xc180),
    expected: [1, -2.75],
  },
] as const) {
  test(`${name} is read as TensorFlow.js reads it`, () => {
    const weights = [{ name: 'w', shape: [2], ...entry }]
    const decoded = decodeWeights([{ paths: ['w.bin'], weights }], [bytes(stored)])
    assert.equal(Array.from(decoded.get('w')?.data ?? []), [...expected])
  })
}

test('weights lie one behind the other, and groups apart', () => {
  const entry = (name: string, dtype: 'bool' | 'float32') => ({ name, shape: [1], dtype })
  const first = Buffer.concat([bytes(Uint8Array.of(1)), bytes(Float32Array.of(2))])
  const decoded = decodeWeights(
    [
      { paths: ['a'], weights: [entry('flag', 'bool'), entry('real', 'float32')] },
      { paths: ['b'], weights: [entry('other', 'float32')] },
    ],
    [first, bytes(Float32Array.of(3))],
  )
  assert.equal(
    [...decoded].map(([name, { data }]) => [name, data[0]]),
    [
      ['flag', 1],
      ['real', 2],
      ['other', 3],
    ],
  )
})

test.run()
