// What a request costs without a server: the same decoding, the same session and the same classes in a bare loop, in as
// many threads as a pool has. A child process of its own, which measures its own processor time.
import { readFileSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { Tensor } from 'onnxruntime-node'
import type { ImageInput } from '../../../runtime/core/definition.ts'
import { openSession } from '../../../runtime/device/session.ts'
import { prepareImage } from '../../../runtime/images/prepare-image.ts'
import { classify } from '../../../runtime/worker/classify.ts'

export interface BareLoopJob {
  model: string
  input: ImageInput
  labels: string[]
  /** Files of pictures. */
  pictures: string[]
  threads: number
}

/** Asked by the parent: run for so long. */
export interface BareLoopRun {
  ms: number
}

export interface BareLoopResult {
  runs: number
  /** Of the whole process. */
  cpuSeconds: number
}

/** Runs until `ms` have passed, and answers how many. */
async function openLoop({
  model,
  input,
  labels,
  pictures,
}: BareLoopJob): Promise<(ms: number) => Promise<number>> {
  const session = await openSession(model, { provider: 'cpu', intraOpThreads: 1 })
  const [inputName = ''] = session.inputNames
  const [outputName = ''] = session.outputNames
  const bodies = pictures.map(file => readFileSync(file))
  return async ms => {
    const until = performance.now() + ms
    let runs = 0
    for (; performance.now() < until; runs += 1) {
      const { data, dims } = await prepareImage(bodies[runs % bodies.length] ?? Buffer.alloc(0), input)
      const outputs = await session.run({ [inputName]: new Tensor('float32', data, dims) })
      const scores = outputs[outputName]?.data
      if (scores instanceof Float32Array) classify(scores, 'none', labels, 1)
    }
    return runs
  }
}

if (isMainThread) {
  const job: BareLoopJob = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'))
  const workers = Array.from(
    { length: job.threads },
    () => new Worker(new URL(import.meta.url), { workerData: job }),
  )
  const answer = (worker: Worker) => new Promise<number>(resolve => worker.once('message', resolve))
  const ask = (ms: number) =>
    Promise.all(
      workers.map(worker => {
        const answered = answer(worker)
        worker.postMessage(ms)
        return answered
      }),
    )
  // The first runs allocate and pack.
  await ask(500)
  process.on('message', async ({ ms }: BareLoopRun) => {
    const before = process.cpuUsage()
    const runs = (await ask(ms)).reduce((sum, count) => sum + count, 0)
    const { user, system } = process.cpuUsage(before)
    process.send?.({ runs, cpuSeconds: (user + system) / 1e6 } satisfies BareLoopResult)
  })
  // Between two runs no thread is inside the engine.
  process.on('disconnect', () => process.exit(0))
  process.send?.('ready')
} else {
  const run = await openLoop(workerData as BareLoopJob)
  parentPort?.on('message', async (ms: number) => parentPort?.postMessage(await run(ms)))
}
