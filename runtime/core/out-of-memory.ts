/** Whether an error means that memory ran out: allocators and drivers have no code for it, only texts. */

/** onnxruntime's arenas, C++, V8, CUDA, Dawn and DirectX, in their own words. */
const signs =
  /bad_alloc|out of memory|out_of_memory|failed to allocate memory|array buffer allocation failed|not enough memory|cannot allocate memory|E_OUTOFMEMORY/i

export function isOutOfMemory(error: unknown): boolean {
  return signs.test(error instanceof Error ? error.message : String(error))
}
