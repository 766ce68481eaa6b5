/**
 * The probe process: one measurement of the real pool and worker code at one level of concurrency and batch, a
 * closed loop on every thread. A process of its own, so that its peak memory is the point's and its death is a data point.
 */
import { readFile } from 'node:fs/promises'
import type { Provider } from '../core/config.ts'
import type { InvocationCall, PoolReply } from '../core/messages.ts'
import { peakResidentBytes } from '../device/memory.ts'
import { createLogger } from '../observe/log.ts'
import { invokeBatch } from '../pool/invoke-batch.ts'
import { createPool, type Pool } from '../pool/pool.ts'
import { latencyPercentiles } from './latency.ts'
import { type ProbeEvent, type ProbeJob, type ProbeResult, probeJobSchema } from './probe-job.ts'
import { haveSettled, mostWindows, type WindowFigures, windowsThatAgree } from './stability.ts'

const say = (event: ProbeEvent) =>
  new Promise<void>(resolve => {
    if (process.send) process.send(event, () => resolve())
    else process.stdout.write(`${JSON.stringify(event)}\n`, () => resolve())
  })

interface Target {
  deployment: ProbeJob['load'][number]['deployment']
  headers: [string, string][]
  bodies: Uint8Array[]
}

/** Endless round trips in turn over functions and bodies, as many of one function at a time as a batch has. */
function* requests(
  targets: readonly Target[],
  batch: number,
): Generator<{ target: Target; calls: InvocationCall[] }, never> {
  for (let turn = 0; ; turn += batch) {
    for (const target of targets) {
      const calls = Array.from({ length: batch }, (_, index) => callOf(target, turn + index))
      yield { target, calls }
    }
  }
}

function callOf({ deployment, headers, bodies }: Target, turn: number): InvocationCall {
  // A copy: the pool transfers the buffer away.
  const body = bodies[turn % bodies.length]?.slice() ?? new Uint8Array()
  const method = body.byteLength > 0 ? 'POST' : 'GET'
  const url = `http://localhost/fn/${deployment.function}`
  return { request: { requestId: 'probe', method, url, headers, body }, remainingMs: 60_000 }
}

async function measure(pool: Pool, targets: readonly Target[], job: ProbeJob): Promise<ProbeResult> {
  const windows: Window[] = []
  let window: Window | undefined
  let error: string | undefined
  let stop = false
  const source = requests(targets, job.batch)

  const record = (reply: PoolReply<'invoke'>, startedAt: number) => {
    if (window === undefined) return
    window.latencies.push(performance.now() - startedAt)
    if (!reply.ok) {
      window.failed += 1
      error ??= `${reply.error.code}: ${reply.error.message}`
    }
  }
  const loop = async () => {
    while (!stop) {
      const { target, calls } = source.next().value
      const startedAt = performance.now()
      const [first] = calls
      if (calls.length === 1 && first !== undefined) {
        record(await pool.run({ type: 'invoke', deployment: target.deployment, ...first }), startedAt)
        continue
      }
      const { replies, ended } = invokeBatch(pool, target.deployment, calls)
      for (const reply of replies) void reply.then(answered => record(answered, startedAt))
      await ended
    }
  }
  const loops = Array.from({ length: job.threads }, loop)
  await delay(job.warmUpMs)
  await say({ type: 'measuring' })
  const startedAt = performance.now()
  while (windows.length < mostWindows && !haveSettled(windows.map(figuresOf))) {
    const begun = performance.now()
    const current: Window = { latencies: [], failed: 0, elapsedMs: 0 }
    window = current
    await delay(job.windowMs)
    current.elapsedMs = performance.now() - begun
    windows.push(current)
  }
  window = undefined
  const measuredMs = performance.now() - startedAt
  stop = true
  await Promise.all(loops)
  const counted = windows.slice(-windowsThatAgree)
  const latencies = counted.flatMap(({ latencies }) => latencies)
  const sum = (of: (window: Window) => number) => counted.reduce((total, each) => total + of(each), 0)
  return {
    requests: latencies.length,
    failed: sum(({ failed }) => failed),
    ...(error === undefined ? {} : { error }),
    elapsedMs: sum(({ elapsedMs }) => elapsedMs),
    measuredMs,
    stable: haveSettled(windows.map(figuresOf)),
    latencyMs: latencyPercentiles(latencies),
    peakMemoryBytes: peakResidentBytes(),
  }
}

interface Window {
  latencies: number[]
  failed: number
  elapsedMs: number
}

const figuresOf = ({ latencies, elapsedMs }: Window): WindowFigures => ({
  rate: (latencies.length / elapsedMs) * 1000,
  p95Ms: latencyPercentiles(latencies).p95,
})

const delay = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

async function main(): Promise<void> {
  const job = probeJobSchema.parse(JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')))
  const targets: Target[] = await Promise.all(
    job.load.map(async ({ deployment, contentType, bodies }) => ({
      deployment,
      headers: [['content-type', contentType] as [string, string]],
      bodies: await Promise.all(bodies.map(async file => new Uint8Array(await readFile(file)))),
    })),
  )
  const pool = createPool({
    threads: job.threads,
    batch: job.batch,
    intraOpThreads: job.intraOpThreads,
    // The parent chose the provider and has checked that it works.
    provider: job.provider as Provider,
    logLevel: 'error',
    log: createLogger('error'),
  })
  try {
    for (const { deployment } of targets) await pool.loadEverywhere(deployment)
    await say({ type: 'result', result: await measure(pool, targets, job) })
  } finally {
    await pool.close()
  }
}

main().then(
  () => process.exit(0),
  async error => {
    await say({ type: 'failed', message: error instanceof Error ? error.message : String(error) })
    process.exit(1)
  },
)
