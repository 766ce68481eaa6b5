// Numbers that test and oracle make alike: no two neighbours are equal, and none is far from 0.

/** float32 elements of `shape`, from -1 to 1. */
export function wave(shape: readonly number[], seed: number): Float32Array {
  const length = shape.reduce((product, dim) => product * dim, 1)
  return Float32Array.from({ length }, (_, index) => Math.sin(index * 0.37 + seed) * Math.cos(index * 0.0113))
}
