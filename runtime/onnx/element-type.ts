/**
 * The element types of ONNX tensors: their numbers in the format and the array that holds each in memory.
 * Strings, complex numbers and the 8-bit and 4-bit floats are left out: Corun passes them through untouched.
 */

const kinds = {
  float32: { code: 1, array: Float32Array },
  uint8: { code: 2, array: Uint8Array },
  int8: { code: 3, array: Int8Array },
  uint16: { code: 4, array: Uint16Array },
  int16: { code: 5, array: Int16Array },
  int32: { code: 6, array: Int32Array },
  int64: { code: 7, array: BigInt64Array },
  /** One byte an element, 0 or 1. */
  bool: { code: 9, array: Uint8Array },
  /** The bits of IEEE 754 binary16. */
  float16: { code: 10, array: Uint16Array },
  float64: { code: 11, array: Float64Array },
  uint32: { code: 12, array: Uint32Array },
  uint64: { code: 13, array: BigUint64Array },
  /** The upper 16 bits of a float32. */
  bfloat16: { code: 16, array: Uint16Array },
} as const

export type ElementType = keyof typeof kinds

export type ElementArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array

const byCode = new Map<number, ElementType>()
for (const [type, { code }] of Object.entries(kinds)) {
  byCode.set(code, type as ElementType) // Object.entries loses the keys' type
}

/** `undefined` for a code that Corun does not read, such as strings (8). */
export function elementTypeOf(code: number): ElementType | undefined {
  return byCode.get(code)
}

export function codeOf(type: ElementType): number {
  return kinds[type].code
}

export function bytesPerElement(type: ElementType): number {
  return kinds[type].array.BYTES_PER_ELEMENT
}

/** A view of `buffer`, which must hold whole elements and start at offset 0. */
export function arrayOver(type: ElementType, buffer: ArrayBuffer): ElementArray {
  return new kinds[type].array(buffer)
}

export function isFloat(type: ElementType): boolean {
  return type === 'float32' || type === 'float64' || type === 'float16' || type === 'bfloat16'
}
