/**
 * Weights as TensorFlow.js stores them, quantized or not, as plain tensors. The formulas are those of
 * tfjs-core/src/io/io_utils.ts (decodeWeights).
 */
import { CorunError } from '../core/errors.ts'
import { elementCount, halfToFloat } from '../onnx/index.ts'
import type { ModelArtifacts, WeightEntry } from './artifacts.ts'

/** Elements in row-major order of TensorFlow's shape. Booleans are 0 and 1. */
export interface Weight {
  type: 'float32' | 'int32' | 'bool'
  dims: number[]
  data: Float32Array | Int32Array | Uint8Array
}

const storedBytes = { float32: 4, int32: 4, bool: 1, uint8: 1, uint16: 2, float16: 2 }

/**
 * @param groups the bytes of each group of the manifest, its files one after another
 * @throws CorunError `invalid-model` when bytes are missing or left over, or an element type is not numbers
 */
export function decodeWeights(
  manifest: ModelArtifacts['weightsManifest'],
  groups: readonly Uint8Array[],
): Map<string, Weight> {
  const weights = new Map<string, Weight>()
  for (const [index, { weights: entries }] of manifest.entries()) {
    const bytes = groups[index] ?? new Uint8Array()
    let offset = 0
    for (const entry of entries) {
      const length = storedLength(entry)
      if (offset + length > bytes.length) {
        throw new CorunError(
          'invalid-model',
          `weight "${entry.name}" [${entry.shape.join(', ')}] ends at byte ${offset + length} of weights that have ${bytes.length}: a file of weights is missing or cut off`,
        )
      }
      // A copy: a typed array may not start at any offset.
      weights.set(entry.name, decode(entry, Uint8Array.from(bytes.subarray(offset, offset + length)).buffer))
      offset += length
    }
    if (offset !== bytes.length) {
      throw new CorunError(
        'invalid-model',
        `the manifest describes ${offset} bytes of weights, the files have ${bytes.length}`,
      )
    }
  }
  return weights
}

function storedLength({ name, shape, dtype, quantization }: WeightEntry): number {
  const stored = quantization?.dtype ?? dtype
  if (stored === 'complex64' || stored === 'string') {
    throw new CorunError('invalid-model', `weight "${name}" has elements of type ${stored}; expected numbers`)
  }
  return elementCount(shape) * storedBytes[stored]
}

function decode({ shape, dtype, quantization }: WeightEntry, buffer: ArrayBuffer): Weight {
  const type = dtype === 'bool' || dtype === 'float32' ? dtype : 'int32'
  const data = quantization === undefined ? plain(dtype, buffer) : dequantized(quantization, type, buffer)
  return { type, dims: shape, data }
}

function plain(dtype: WeightEntry['dtype'], buffer: ArrayBuffer): Weight['data'] {
  if (dtype === 'float32') return new Float32Array(buffer)
  if (dtype === 'int32') return new Int32Array(buffer)
  return dtype === 'bool' ? new Uint8Array(buffer) : Int32Array.from(new Uint8Array(buffer))
}

function dequantized(
  { dtype, scale = 1, min = 0 }: NonNullable<WeightEntry['quantization']>,
  type: Weight['type'],
  buffer: ArrayBuffer,
): Weight['data'] {
  if (dtype === 'float16') return floatsOfHalves(new Uint16Array(buffer))
  const stored = dtype === 'uint8' ? new Uint8Array(buffer) : new Uint16Array(buffer)
  return type === 'float32'
    ? Float32Array.from(stored, value => value * scale + min)
    : Int32Array.from(stored, value => Math.round(value * scale + min))
}

/** By a table: models have millions of weights, and there are 65,536 halves. */
function floatsOfHalves(halves: Uint16Array): Float32Array {
  const floats = new Float32Array(halves.length)
  if (halves.length < halfValues) {
    for (const [index, half] of halves.entries()) floats[index] = halfToFloat(half)
    return floats
  }
  const table = Float32Array.from({ length: halfValues }, (_, half) => halfToFloat(half))
  for (let index = 0; index < halves.length; index += 1) floats[index] = table[halves[index] ?? 0] ?? 0
  return floats
}

const halfValues = 2 ** 16
