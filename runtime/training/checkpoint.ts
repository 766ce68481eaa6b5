/**
 * Where a training was: one file that is whole or absent, from which another process goes on as if nothing had
 * happened. What is drawn by chance follows from the seed and the place (random.ts), so it is not kept.
 *
 * The file: the length of the header (uint32, little endian), the header in JSON and spaces up to a multiple of 4, then
 * the tensors one after another, float32, little endian.
 */
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { writeDurably } from '../state/durable-file.ts'
import { bestEpochSchema } from './early-stopping.ts'
import { progressStateSchema } from './progress.ts'
import type { RunnerState } from './step-runner.ts'

const validationSchema = z.object({ loss: z.number(), accuracy: z.number(), count: z.int() })

const headerSchema = z.object({
  version: z.literal(1),
  /** Says of which training: model, pictures, recipe. Another one does not go on here. */
  identity: z.string(),
  /** Pictures at once. */
  microBatch: z.int(),
  /** The step that comes next: its epoch, from 1, and its place in it, from 0; and how many steps came before. */
  next: z.object({ epoch: z.int(), index: z.int(), step: z.int() }),
  progress: progressStateSchema,
  /** Of each epoch that is over; null without enough pictures to judge by. */
  validation: z.array(validationSchema.nullable()),
  best: bestEpochSchema.optional(),
  runnerSteps: z.int(),
  /** Elements of each tensor: those of the runner, then the best epoch's parameters where there is one. */
  lengths: z.array(z.int()),
  runnerTensors: z.int(),
})
type Header = z.output<typeof headerSchema>

export type Validation = z.output<typeof validationSchema>
export type Position = Header['next']

export interface Checkpoint
  extends Omit<Header, 'version' | 'runnerSteps' | 'lengths' | 'runnerTensors' | 'best'> {
  best?: { epoch: number; loss: number; parameters: Float32Array[] } | undefined
  runner: RunnerState
}

export async function writeCheckpoint(file: string, { runner, best, ...rest }: Checkpoint): Promise<void> {
  const tensors = [...runner.tensors, ...(best?.parameters ?? [])]
  const header: Header = {
    ...rest,
    version: 1,
    ...(best ? { best: { epoch: best.epoch, loss: best.loss } } : {}),
    runnerSteps: runner.steps,
    runnerTensors: runner.tensors.length,
    lengths: tensors.map(({ length }) => length),
  }
  const text = Buffer.from(JSON.stringify(header))
  const start = Buffer.alloc(4 + Math.ceil(text.length / 4) * 4, ' ')
  start.writeUInt32LE(start.length - 4)
  text.copy(start, 4)
  const parts = tensors.map(
    ({ buffer, byteOffset, byteLength }) => new Uint8Array(buffer, byteOffset, byteLength),
  )
  await writeDurably(file, Buffer.concat([start, ...parts]))
}

/** Undefined when there is none, or it is damaged or of another version: training then begins at the beginning. */
export async function readCheckpoint(file: string): Promise<Checkpoint | undefined> {
  const bytes = await readFile(file).catch(() => undefined)
  if (bytes === undefined || bytes.length < 4) return undefined
  const end = 4 + bytes.readUInt32LE()
  const header = parse(bytes.subarray(4, end).toString())
  if (header === undefined) return undefined
  const { version: _, runnerSteps, runnerTensors, lengths, best, ...rest } = header
  const numbers = lengths.reduce((sum, length) => sum + length, 0)
  if (bytes.length !== end + numbers * Float32Array.BYTES_PER_ELEMENT) return undefined
  let at = end
  const tensors = lengths.map(length => {
    const tensor = new Float32Array(length)
    new Uint8Array(tensor.buffer).set(bytes.subarray(at, at + tensor.byteLength))
    at += tensor.byteLength
    return tensor
  })
  return {
    ...rest,
    runner: { steps: runnerSteps, tensors: tensors.slice(0, runnerTensors) },
    best: best && { ...best, parameters: tensors.slice(runnerTensors) },
  }
}

function parse(text: string): Header | undefined {
  try {
    return headerSchema.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
