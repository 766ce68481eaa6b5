/** Runs a training step in parts: gradients of micro-batches are summed up, and one update follows. */
import { InferenceSession, Tensor } from 'onnxruntime-node'
import type { AccumulatingStep } from '../autodiff/index.ts'
import type { Batch } from './batch.ts'
import { roundsFor, zeros } from './rounds.ts'
import { finiteLoss, loopsOf, type RunnerState, type StepRunner } from './step-runner.ts'

/** `parameters`: a tensor a slot, those of `apply` before the statistics; `from`: where a runner of the same step was. */
export async function createAccumulatingRunner(
  { accumulate, apply, batchSize, classes }: AccumulatingStep,
  parameters: readonly Float32Array[],
  imageDims: readonly number[],
  options: InferenceSession.SessionOptions,
  from?: RunnerState,
): Promise<StepRunner> {
  const loops = loopsOf(apply.slots, parameters, from?.tensors)
  const statistics = loopsOf(
    accumulate.statistics,
    parameters.slice(apply.slots.length),
    from?.tensors.slice(loops.length),
  )
  const rounds = roundsFor(loops, options)
  const running = roundsFor(statistics, options)
  const gradients = await InferenceSession.create(accumulate.model, { ...options, ...running.options })
  const update = await InferenceSession.create(apply.model, { ...options, ...rounds.options })
  const weightInputs = new Set(apply.slots.map(({ input }) => input))
  const noSums = Object.fromEntries(
    accumulate.sums.map(({ input, dims }) => [input, new Tensor('float32', zeros(dims), [...dims])]),
  )
  let steps = from?.steps ?? 0

  const addGradients = async (part: Batch, sums: Record<string, Tensor>) => {
    const { inputs, outputs } = accumulate
    const weights = Object.entries(rounds.feeds()).filter(([name]) => weightInputs.has(name))
    const results = await gradients.run(
      {
        ...Object.fromEntries(weights),
        ...running.feeds(),
        ...sums,
        [inputs.images]: new Tensor('float32', part.images, [batchSize, ...imageDims]),
        [inputs.targets]: new Tensor('float32', part.targets, [batchSize, classes]),
        [inputs.weights]: new Tensor('float32', part.weights, [batchSize]),
      },
      {
        ...running.fetches(),
        ...Object.fromEntries(accumulate.sums.map(({ output }) => [output, null])),
        [outputs.loss]: null,
      },
    )
    running.turn(results)
    const next = accumulate.sums.map(
      ({ input, output }) => [input, results[output] ?? noSums[input]] as const,
    )
    return { loss: Number(results[outputs.loss]?.data[0]), sums: Object.fromEntries(next) }
  }

  return {
    async run(batch, learningRate) {
      let sums: Record<string, Tensor> = noSums
      let loss = 0
      for (const part of partsOf(batch, batchSize)) {
        const added = await addGradients(part, sums)
        sums = added.sums as Record<string, Tensor>
        loss += added.loss
      }
      const mean = finiteLoss(
        loss / batch.weights.reduce((sum, weight) => sum + weight, 0),
        steps,
        learningRate,
      )
      const scalar = (value: number) => new Tensor('float32', Float32Array.of(value), [])
      const feeds = {
        ...rounds.feeds(),
        ...sums,
        [apply.inputs.learningRate]: scalar(learningRate),
        [apply.inputs.step]: scalar(steps + 1),
      }
      rounds.turn(await update.run(feeds, rounds.fetches()))
      steps += 1
      return mean
    },
    async parameters() {
      const learned = await rounds.read(apply.slots.map(({ input, average }) => average?.input ?? input))
      return [...learned, ...(await running.read(accumulate.statistics.map(({ input }) => input)))]
    },
    async state() {
      const learned = await rounds.read(loops.map(({ input }) => input))
      return { steps, tensors: [...learned, ...(await running.read(statistics.map(({ input }) => input)))] }
    },
    async close() {
      rounds.close()
      running.close()
      await gradients.release()
      await update.release()
    },
  }
}

/** A batch in parts of the same number of rows; what is missing from the last is zero and weighs nothing. */
export function partsOf({ images, targets, weights, count }: Batch, size: number): Batch[] {
  const rows = weights.length
  const parts: Batch[] = []
  for (let start = 0; start < count; start += size) {
    const cut = (data: Float32Array) => {
      const width = data.length / rows
      const part = new Float32Array(size * width)
      part.set(data.subarray(start * width, Math.min(rows, start + size) * width))
      return part
    }
    parts.push({
      images: cut(images),
      targets: cut(targets),
      weights: cut(weights),
      count: Math.min(size, count - start),
    })
  }
  return parts
}
