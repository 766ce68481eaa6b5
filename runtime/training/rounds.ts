/** The tensors that go round: what one step gives for parameters and optimizer state is what the next one takes. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import { createNode, type Graph, writeGraph } from '../onnx/index.ts'

/** One of them: where a step takes it and where it gives it, and what the first step takes. */
export interface Loop {
  input: string
  output: string
  dims: readonly number[]
  data: Float32Array
}

export interface Rounds {
  /** Additional options of the step's session. */
  options: Pick<InferenceSession.SessionOptions, 'preferredOutputLocation'>
  feeds(): Record<string, Tensor>
  fetches(): Record<string, Tensor | null>
  /** After a step whose results are good. */
  turn(results: InferenceSession.ReturnType): void
  /** What the next step would take under these input names. */
  read(inputs: readonly string[]): Promise<Float32Array[]>
  close(): void
}

/** Where the session that `options` are for keeps them. */
export function roundsFor(loops: readonly Loop[], options: InferenceSession.SessionOptions): Rounds {
  const onDevice = options.executionProviders?.includes('webgpu') ?? false
  return onDevice ? deviceRounds(loops, options) : hostRounds(loops)
}

/**
 * In the computer's memory: two buffers each, which change places, because the engine may write an output while it still
 * reads the input. With one buffer for both the numbers are subtly wrong.
 */
function hostRounds(loops: readonly Loop[]): Rounds {
  const rounds = loops.map(({ input, output, dims, data }) => ({
    input,
    output,
    present: new Tensor('float32', data, [...dims]),
    next: new Tensor('float32', new Float32Array(data.length), [...dims]),
  }))
  return {
    options: {},
    feeds: () => Object.fromEntries(rounds.map(({ input, present }) => [input, present])),
    fetches: () => Object.fromEntries(rounds.map(({ output, next }) => [output, next])),
    turn() {
      for (const round of rounds) [round.present, round.next] = [round.next, round.present]
    },
    read: async inputs =>
      inputs.map(name => floatsOf(rounds.find(({ input }) => input === name)?.present, name)),
    close() {},
  }
}

/**
 * On the device: a step's results stay there and go into the next. They are read by a model that does nothing, because
 * the engine aborts the process when such a tensor is asked for its data.
 */
function deviceRounds(loops: readonly Loop[], options: InferenceSession.SessionOptions): Rounds {
  const present = new Map<string, Tensor>(
    loops.map(({ input, dims, data }) => [input, new Tensor('float32', data, [...dims])]),
  )
  const feeds = (): Record<string, Tensor> => Object.fromEntries(present)
  return {
    options: {
      preferredOutputLocation: Object.fromEntries(loops.map(({ output }) => [output, 'gpu-buffer'] as const)),
    },
    feeds,
    fetches: () => Object.fromEntries(loops.map(({ output }) => [output, null])),
    turn(results) {
      for (const { input, output } of loops) {
        const result = results[output]
        if (!result) throw new TypeError(`the step gave no ${output}`)
        present.get(input)?.dispose()
        present.set(input, result)
      }
    },
    async read(inputs) {
      if (inputs.length === 0) return []
      const chosen = loops.filter(({ input }) => inputs.includes(input))
      const session = await InferenceSession.create(copyingModel(chosen), options)
      try {
        const all = feeds()
        const copies = await session.run(
          Object.fromEntries(chosen.flatMap(({ input }) => (all[input] ? [[input, all[input]]] : []))),
        )
        return inputs.map(name => floatsOf(copies[copyOf(name)], name))
      } finally {
        await session.release()
      }
    },
    close() {
      for (const tensor of present.values()) tensor.dispose()
    },
  }
}

const copyOf = (name: string) => `${name}/copy`

function copyingModel(loops: readonly Loop[]): Uint8Array {
  const port = (name: string, dims: readonly number[]) => ({
    name,
    type: 'float32' as const,
    dims: [...dims],
  })
  const graph: Graph = {
    name: 'copy',
    inputs: loops.map(({ input, dims }) => port(input, dims)),
    outputs: loops.map(({ input, dims }) => port(copyOf(input), dims)),
    nodes: loops.map(({ input }) => createNode('Identity', [input], [copyOf(input)])),
    initializers: new Map(),
    valueInfo: new Map(),
    opsets: new Map([['', 17]]),
    irVersion: 8,
  }
  return writeGraph(graph)
}

export function zeros(dims: readonly number[]): Float32Array {
  return new Float32Array(dims.reduce((product, dim) => product * dim, 1))
}

function floatsOf(tensor: Tensor | undefined, name: string): Float32Array {
  if (tensor?.data instanceof Float32Array) return tensor.data
  throw new TypeError(`${name} is ${tensor?.type ?? 'missing'}; expected float32`)
}
