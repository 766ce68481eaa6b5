// One model under the training benchmark: its steps by how much of it trains, and the forward pass they stand beside.
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { prepareForTraining } from '../../runtime/autodiff/index.ts'
import { checkRetraining } from '../../runtime/core/definition-schema.ts'
import { sgd, type Trainable } from '../../runtime/core/retraining-definition.ts'
import { elementCount, parametersOf, readGraph, writeGraph } from '../../runtime/onnx/index.ts'
import type { Batch } from '../../runtime/training/batch.ts'
import { makeStep } from '../../runtime/training/make-step.ts'
import { openRunner } from '../../runtime/training/open-runner.ts'
import { sessionOptions } from '../../runtime/training/session-options.ts'
import { simplify } from '../../runtime/training/simplify.ts'
import { loadNetwork } from '../oracle/load-network.ts'

export interface Subject {
  name: string
  bytes: Uint8Array
  inputName: string
  outputName: string
  classes: number
  /** Of a picture: channels, height, width. */
  dims: readonly number[]
  batchSize: number
  threads: number
}

/** A network of the fixtures, with seeded random weights. */
export function networkSubject(
  name: string,
  size: number,
  settings: Pick<Subject, 'batchSize' | 'threads'>,
): Subject {
  return {
    name: `${name} ${size}`,
    bytes: ofAnySize(loadNetwork(name)),
    inputName: 'input',
    outputName: 'logits',
    classes: 1000,
    dims: [3, size, size],
    ...settings,
  }
}

/** Fixtures carry the size of the pictures that they were exported with; the graphs of these networks take others. */
function ofAnySize(bytes: Uint8Array): Uint8Array {
  const graph = readGraph(bytes)
  graph.inputs = graph.inputs.map(input => ({
    ...input,
    dims: input.dims?.map((dim, axis) => (axis === 1 ? dim : null)),
  }))
  graph.outputs = graph.outputs.map(output => ({ ...output, dims: undefined }))
  graph.valueInfo = new Map()
  return writeGraph(graph)
}

export interface Runnable {
  run(): Promise<unknown>
  close(): Promise<void>
}

const session = ({ threads }: Subject) => sessionOptions({ provider: 'cpu', threads })

/** A step that trains that much of the model; where a part is frozen, on its features, which are kept. */
export async function stepOf(subject: Subject, trainable: Trainable): Promise<Runnable> {
  const { bytes, inputName, outputName, classes, dims, batchSize } = subject
  const model = {
    file: '',
    inputName,
    outputName,
    labels: Array.from({ length: classes }, (_, label) => `${label}`),
  }
  const recipe = checkRetraining('bench', { model: 'm', batchSize, trainable, optimizer: sgd() })
  const { step, frozen } = await makeStep(bytes, { model, provider: 'cpu' }, recipe, dims)
  const inputDims = frozen?.dims.slice(1) ?? dims
  const runner = await openRunner(step, readGraph(bytes), inputDims, {
    provider: 'cpu',
    threads: subject.threads,
  })
  const batch = exampleBatch(batchSize, elementCount(inputDims), classes)
  return { run: () => runner.run(batch, 1e-6), close: runner.close }
}

/** The forward pass of a graph whose parameters are inputs, as they are while they train. */
export async function fedForwardOf(subject: Subject): Promise<Runnable> {
  const { bytes, outputName, dims, batchSize, classes } = subject
  const graph = readGraph(bytes)
  const names = new Set(parametersOf(graph).map(({ name }) => name))
  const inputShape = [batchSize, ...dims]
  const prepared = prepareForTraining(graph, {
    output: outputName,
    inputShape,
    trainable: name => names.has(name),
  })
  const inference = await InferenceSession.create(
    writeGraph(await simplify(prepared.graph)),
    session(subject),
  )
  const { images } = exampleBatch(batchSize, elementCount(dims), classes)
  const feeds: Record<string, Tensor> = { [prepared.input]: new Tensor('float32', images, inputShape) }
  for (const { name, dims } of prepared.parameters) {
    feeds[name] = new Tensor('float32', new Float32Array(elementCount(dims)).fill(0.01), [...dims])
  }
  return { run: () => inference.run(feeds), close: () => inference.release() }
}

function exampleBatch(batchSize: number, length: number, classes: number): Batch {
  const images = Float32Array.from({ length: batchSize * length }, (_, index) => Math.sin(index))
  const targets = new Float32Array(batchSize * classes)
  for (let row = 0; row < batchSize; row += 1) targets[row * classes + (row % classes)] = 1
  return { images, targets, weights: new Float32Array(batchSize).fill(1), count: batchSize }
}
