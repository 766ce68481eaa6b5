/** Has the engine simplify a graph and tell the shape of every value: what is pure about training starts from there. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InferenceSession } from 'onnxruntime-node'
import { exposeValues, withShapes } from '../autodiff/index.ts'
import { type Graph, readGraph, writeGraph } from '../onnx/index.ts'

/** Level `basic` folds what is constant and leaves standard operators only. */
export async function simplify(graph: Graph): Promise<Graph> {
  const folder = await mkdtemp(join(tmpdir(), 'corun-simplify-'))
  try {
    const file = join(folder, 'simplified.onnx')
    const session = await InferenceSession.create(writeGraph(graph), {
      executionProviders: ['cpu'],
      graphOptimizationLevel: 'basic',
      optimizedModelFilePath: file,
    })
    await session.release()
    return await withEngineShapes(readGraph(await readFile(file)))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function withEngineShapes(graph: Graph): Promise<Graph> {
  const session = await InferenceSession.create(writeGraph(exposeValues(graph)), {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'disabled',
  })
  const shapes = session.outputMetadata.flatMap(value => (value.isTensor ? [value] : []))
  await session.release()
  return withShapes(graph, shapes)
}
