/**
 * Whether a model takes several requests as rows of one run: its first dimension is free, and tried with two rows each
 * answers as it does alone. A free first dimension may also be a length, or mixed across by the graph.
 */
import { Tensor } from 'onnxruntime-node'
import type { DeployedModel } from '../core/deployment.ts'
import type { RunModel } from './model-handle.ts'
import { joinRows, takeRows } from './tensor-rows.ts'

/** `feeds`: one row that the model accepts, as the warm-up has it. */
export async function takesRows(
  { inputs }: Pick<DeployedModel, 'inputs'>,
  run: RunModel,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<boolean> {
  if (inputs.length === 0 || inputs.some(({ dims }) => dims[0] !== null)) return false
  const [first, second] = [noiseLike(feeds, 1), noiseLike(feeds, 2)]
  try {
    const alone = [await run(first), await run(second)]
    const together = await run(joinRows([first, second]))
    return alone.every((outputs, row) => {
      const taken = takeRows(together, 2, [row, row + 1])
      return (
        taken !== undefined &&
        Object.entries(outputs).every(([name, output]) => near(taken[name], output, rowTolerance))
      )
    })
  } catch {
    return false
  }
}

/** Different numbers for every seed, the same at every start. */
export function noiseLike(feeds: Readonly<Record<string, Tensor>>, seed: number): Record<string, Tensor> {
  const like = ({ dims, size }: Tensor) =>
    new Tensor(
      'float32',
      Float32Array.from({ length: size }, (_, at) => Math.sin(seed * 12.9898 + at * 78.233)),
      dims,
    )
  return Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, like(tensor)]))
}

/** More than what another order of summation makes, less than what another row would. */
const rowTolerance = 1e-3

/** `tolerance`: of the largest value. What is not float32 must be the same. */
export function near(taken: unknown, alone: unknown, tolerance: number): boolean {
  if (!(taken instanceof Tensor && alone instanceof Tensor)) return false
  if (taken.dims.join() !== alone.dims.join()) return false
  if (!(taken.data instanceof Float32Array && alone.data instanceof Float32Array)) {
    return String(taken.data) === String(alone.data)
  }
  const { data } = alone
  const most = data.reduce((greatest, value) => Math.max(greatest, Math.abs(value)), 1e-6)
  return taken.data.every((value, at) => Math.abs(value - (data[at] ?? Number.NaN)) <= tolerance * most)
}
