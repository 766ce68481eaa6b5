// Suite `corun`: what serving and training cost each other on this box, through the server's own URLs. The retraining
// is paused and resumed between measurements of one run, so that each ratio is of neighbours in time.
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import sharp from 'sharp'
import { packageRoot } from '../../runtime/core/package-root.ts'
import type { RetrainingView } from '../../runtime/retraining/retraining-view.ts'
import { startServer } from '../demo/server-process.ts'
import { makeSet } from '../pictures/make-set.ts'
import { randomFrom } from '../pictures/random.ts'
import type { SuiteOptions, SuiteResult } from './bench.ts'
import { type Figure, figure } from './figures.ts'
import { closedLoop, createClient, type LoadItem, type LoadResult, openLoop } from './load.ts'
import { networkSubject } from './training-subject.ts'

/** Functions in a folder, and what they are asked and taught. */
interface Workload {
  title: string
  /** The function that is asked. */
  name: string
  /** The one that is trained: the same, or one beside it. */
  trained: string
  functions: string
  items: LoadItem[]
  samples: LoadItem[]
}

/** Lengths of a measurement, in ms. */
const full = { rounds: 5, windowMs: 5000 }
const short = { rounds: 1, windowMs: 1500 }
/** Requests in flight while the box is saturated: more than it has slots, so that some always wait. */
const saturating = 8

export async function corunSuite({ quick, say }: SuiteOptions): Promise<SuiteResult> {
  const folder = await mkdtemp(join(tmpdir(), 'corun-bench-'))
  const figures: Figure[] = []
  try {
    const workloads = [shippedWorkload, networkWorkload('mobilenet_v3_small'), networkWorkload('resnet18')]
    for (const [index, make] of (quick ? workloads.slice(0, 1) : workloads).entries()) {
      const scratch = join(folder, String(index))
      await mkdir(scratch)
      const workload = await make(scratch)
      say(workload.title)
      figures.push(...(await measureWorkload(workload, scratch, quick, say)))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return {
    figures,
    left: [
      ...(quick ? ['MobileNetV3-Small and ResNet-18: a full run has them'] : []),
      'a floor for training under saturation: there is none yet',
    ],
  }
}

async function measureWorkload(
  { title, name, trained, functions, items, samples }: Workload,
  scratch: string,
  quick: boolean,
  say: (text: string) => void,
): Promise<Figure[]> {
  const { rounds, windowMs } = quick ? short : full
  const server = await startServer([
    ...['--port', '0', '--functions', functions],
    ...['--data', join(scratch, 'data'), '--profiles', join(scratch, 'profiles')],
  ])
  try {
    const url = `${server.url}/fn/${name}`
    const trainer = trainerOf(server.url, trained)
    for (const sample of samples) await postSample(server.url, trained, sample)
    const random = randomFrom(7, 'arrivals')
    const results: LoadResult[] = []
    const counted = async (load: Promise<LoadResult>) => {
      const result = await load
      results.push(result)
      if (result.failed > 0) say(`  failed: ${result.failures.join('; ')}`)
      return result
    }
    const saturate = () => counted(closedLoop(url, endless(items, after(windowMs)), saturating))
    const half = (rate: number) =>
      counted(openLoop(url, items, { rate, until: after(windowMs), random: () => random.between(0, 1) }))

    let rate = (await saturate()).throughput / 2
    await trainer.start()
    const found = { p99: [], throughput: [], steps: [], shares: [] } as Record<Ratio, number[]>
    for (let round = 0; round < rounds; round += 1) {
      const without = async () => {
        await trainer.pause()
        return { saturated: await saturate(), half: await half(rate) }
      }
      const beside = async () => {
        await trainer.resume()
        const alone = await trainer.stepsDuring(() => after(windowMs))
        return { alone, half: await trainer.stepsDuring(() => half(rate)), saturated: await saturate() }
      }
      // Who goes first takes turns, so that a machine that slows down favours neither.
      const ahead = round % 2 === 0 ? await without() : undefined
      const training = await beside()
      const serving = ahead ?? (await without())
      const steps = training.half.perSecond / training.alone.perSecond
      const [p99, p99Beside] = [serving.half.latencyMs.p99, training.half.result.latencyMs.p99]
      const [most, mostBeside] = [serving.saturated.throughput, training.saturated.throughput]
      found.p99.push(p99Beside / p99)
      found.throughput.push(mostBeside / most)
      found.steps.push(steps)
      found.shares.push(training.half.result.throughput / most + steps)
      say(
        `  ${most.toFixed(0)}/s alone, ${mostBeside.toFixed(0)}/s beside; at ${rate.toFixed(0)}/s p99 ${p99.toFixed(1)} and ${p99Beside.toFixed(1)} ms; ${training.alone.perSecond.toFixed(1)} and ${training.half.perSecond.toFixed(1)} steps/s`,
      )
      rate = most / 2
    }
    await trainer.cancel()
    const failed = results.reduce((sum, result) => sum + result.failed, 0)
    const ratio = (what: string, rounds: number[], bound: string) =>
      figure(`${title}: ${what}`, 'x', rounds, { bound, quick })
    return [
      ratio('p99 at half load, training / without', found.p99, '<= 1.15'),
      ratio('saturated throughput, training / without', found.throughput, '>= 0.95'),
      ratio('training steps a second, half load / alone', found.steps, '>= 0.45'),
      ratio('inference share + training share at half load', found.shares, '>= 0.90'),
      figure(
        `${title}: failed requests of ${results.reduce((sum, { requests }) => sum + requests, 0)}`,
        '',
        [failed],
        {
          bound: '<= 0',
          quick,
        },
      ),
    ]
  } finally {
    await server.stop()
  }
}

type Ratio = 'p99' | 'throughput' | 'steps' | 'shares'

/** The items again and again until `until`. */
function* endless(items: readonly LoadItem[], until: Promise<unknown>): Generator<LoadItem> {
  let ended = false
  void until.then(() => {
    ended = true
  })
  for (let index = 0; !ended; index += 1) {
    const item = items[index % items.length]
    if (item) yield item
  }
}

/** The retraining of a function, by its routes. */
function trainerOf(server: string, name: string) {
  const path = `${server}/api/retraining/${name}`
  const view = async () => (await (await fetch(path)).json()) as RetrainingView
  const post = async (action: string) => {
    const response = await fetch(`${path}/${action}`, { method: 'POST' })
    if (!response.ok) throw new Error(`${action} was answered ${response.status}: ${await response.text()}`)
  }
  const steps = async () => {
    const { active, runs } = await view()
    if (!active) throw new Error(`the retraining ended: ${JSON.stringify(runs[0]?.error ?? runs[0]?.state)}`)
    return { count: active.progress?.step ?? 0, at: performance.now() }
  }
  /** The step that runs when a pause is asked for is finished first. */
  const settleMs = 1000
  return {
    async start() {
      await post('run')
      while ((await steps()).count < 3) await after(200)
    },
    async pause() {
      await post('pause')
      await after(settleMs)
    },
    async resume() {
      await post('resume')
      await after(settleMs)
    },
    cancel: () => post('cancel'),
    async stepsDuring<T>(work: () => Promise<T>) {
      const before = await steps()
      const result = await work()
      const now = await steps()
      return { result, perSecond: ((now.count - before.count) / (now.at - before.at)) * 1000 }
    },
  }
}

async function postSample(server: string, name: string, sample: LoadItem): Promise<void> {
  const client = createClient(`${server}/api/functions/${name}/samples?label=${sample.label}`, 1)
  const { status, body } = await client.send(sample)
  client.close()
  if (status !== 201) throw new Error(`a sample was answered ${status}: ${body}`)
}

/** The functions that ship, with a retraining that does not end by itself. */
async function shippedWorkload(scratch: string): Promise<Workload> {
  const functions = join(scratch, 'functions')
  const name = 'text-orientation'
  await cp(join(packageRoot, 'functions', name), join(functions, name), { recursive: true })
  await writeFile(join(functions, name, 'retrain.ts'), retrainSource('orientation'))
  const set = await makeSet({ count: 120, seed: 11, text: 'train' })
  const items = set.map(({ image, label }) => ({ body: image, label, contentType: 'image/jpeg' }))
  return { title: 'text-orientation', name, trained: name, functions, items, samples: items }
}

/** A network with seeded random weights at 224, asked about one-megapixel photographs, beside MobileNetV3-Small's training. */
function networkWorkload(network: string) {
  return async (scratch: string): Promise<Workload> => {
    const functions = join(scratch, 'functions')
    const labels = Array.from({ length: 1000 }, (_, label) => `class-${label}`)
    const write = async (name: string, model: string, retrain: boolean) => {
      const folder = join(functions, name)
      await mkdir(folder, { recursive: true })
      const { bytes } = networkSubject(model, 224, { batchSize: 16, threads: 1 })
      await writeFile(join(folder, 'model.onnx'), bytes)
      await writeFile(join(folder, 'labels.json'), JSON.stringify(labels))
      await writeFile(join(folder, 'function.ts'), functionSource)
      if (retrain) await writeFile(join(folder, 'retrain.ts'), retrainSource('net'))
    }
    await write('served', network, network === 'mobilenet_v3_small')
    if (network !== 'mobilenet_v3_small') await write('trained', 'mobilenet_v3_small', true)
    const items = await photographs(64, labels)
    const title = `${network} 224, 1 megapixel`
    const trained = network === 'mobilenet_v3_small' ? 'served' : 'trained'
    return { title, name: 'served', trained, functions, items, samples: items }
  }
}

const functionSource = `import { defineFunction, image } from 'corun'
export default defineFunction({
  models: { net: { path: 'model.onnx', labels: 'labels.json' } },
  input: image({ width: 224, height: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }),
  timeoutMs: 60_000,
  async handler(pixels, { models: { net } }) {
    const { [net.outputNames[0]!]: scores } = await net.run({ [net.inputNames[0]!]: pixels })
    return net.top1(scores)
  },
})
`

const retrainSource = (model: string) => `import { defineRetraining, sgd } from 'corun'
export default defineRetraining({ model: '${model}', optimizer: sgd({ learningRate: 1e-6 }), epochs: 10_000, batchSize: 16 })
`

/** Waves of colour with noise: they compress about as photographs do. */
async function photographs(count: number, labels: readonly string[]): Promise<LoadItem[]> {
  const [width, height] = [1152, 864]
  const items: LoadItem[] = []
  for (let index = 0; index < count; index += 1) {
    const random = randomFrom(index, 'photograph')
    const [a, b, c] = [random.between(1, 9), random.between(1, 9), random.between(0, 6)]
    const pixels = Buffer.alloc(width * height * 3)
    for (let at = 0; at < pixels.length; at += 1) {
      const [x, y] = [((at / 3) % width) / width, at / 3 / width / height]
      pixels[at] = 128 + 90 * Math.sin(a * x + b * y * 3 + c + (at % 3)) + random.between(-12, 12)
    }
    const body = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 85 })
      .toBuffer()
    items.push({ body, contentType: 'image/jpeg', label: labels[index % labels.length] ?? '' })
  }
  return items
}

const after = (ms: number) => new Promise<void>(done => setTimeout(done, ms))
