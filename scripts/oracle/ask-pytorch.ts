/** Hands a network's weights and a batch to gradients.py and reads back what PyTorch computes. */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { elementCount, floatsOf, readGraph } from '../../runtime/onnx/index.ts'
import type { NetworkEntry } from './load-network.ts'
import { BATCH, type Examples } from './network-step.ts'

/** Debian's, which has PyTorch from its own packages; another may come first in PATH. */
const PYTHON = '/usr/bin/python3'

export interface Question {
  network: NetworkEntry
  bytes: Uint8Array
  examples: Examples
  /** Parameters, as the state dict names them, with their shapes. */
  parameters: readonly { name: string; dims: readonly number[] }[]
  curves?: Record<string, { learningRate: number; steps: number }>
}

const answerSchema = z.object({
  /** float64 */
  loss: z.number(),
  /** By parameter: largest error of PyTorch's float32 gradient, relative to the largest entry. */
  float32Errors: z.record(z.string(), z.number()),
  /** By optimizer: the loss before each step, computed in float64. */
  curves: z.record(z.string(), z.array(z.number())),
})
export type Answer = z.infer<typeof answerSchema> & { gradients: Map<string, Float64Array> }

export function askPyTorch({ network, bytes, examples, parameters, curves = {} }: Question): Answer {
  const folder = mkdtempSync(join(tmpdir(), 'corun-oracle-'))
  try {
    const tensors = tensorsOf(bytes, examples, network.size)
    const dims = Object.fromEntries([...tensors].map(([name, tensor]) => [name, tensor.dims]))
    const names = parameters.map(({ name }) => name)
    const question = { network, tensors: dims, gradients: names, curves }
    writeFileSync(join(folder, 'question.json'), JSON.stringify(question))
    const file = openSync(join(folder, 'tensors.bin'), 'w')
    for (const { data } of tensors.values()) writeSync(file, data)
    closeSync(file)
    const script = fileURLToPath(new URL('gradients.py', import.meta.url))
    execFileSync(PYTHON, ['-W', 'ignore', script, folder], { stdio: 'inherit' })
    const answer = answerSchema.parse(JSON.parse(readFileSync(join(folder, 'answer.json'), 'utf8')))
    return { ...answer, gradients: readGradients(join(folder, 'gradients.bin'), parameters) }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function tensorsOf(bytes: Uint8Array, { images, targets }: Examples, size: number) {
  const tensors = new Map<string, { dims: readonly number[]; data: Float32Array }>()
  for (const [name, tensor] of readGraph(bytes).initializers) {
    if (tensor.type === 'float32') tensors.set(name, { dims: tensor.dims, data: floatsOf(tensor) })
  }
  tensors.set('images', { dims: [BATCH, 3, size, size], data: images })
  return tensors.set('targets', { dims: [BATCH, targets.length / BATCH], data: targets })
}

function readGradients(path: string, parameters: Question['parameters']): Map<string, Float64Array> {
  const file = openSync(path, 'r')
  const gradients = parameters.map(({ name, dims }) => {
    const gradient = new Float64Array(elementCount([...dims]))
    readSync(file, gradient)
    return [name, gradient] as const
  })
  closeSync(file)
  return new Map(gradients)
}
