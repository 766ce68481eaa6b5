/**
 * The probe process: one measurement of the real pool and worker code at one level of concurrency, a closed loop
 * on every thread. A process of its own, so that its peak memory is the point's and its death is a data point.
 */
import { readFile } from 'node:fs/promises'
import type { Provider } from '../core/config.ts'
import type { InvocationRequest } from '../core/messages.ts'
import { peakResidentBytes } from '../device/memory.ts'
import { createLogger } from '../observe/log.ts'
import { createPool, type Pool } from '../pool/pool.ts'
import { latencyPercentiles } from './latency.ts'
import { type ProbeEvent, type ProbeJob, type ProbeResult, probeJobSchema } from './probe-job.ts'

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

/** Endless round trips in turn over functions and bodies. */
function* requests(targets: readonly Target[]): Generator<{ target: Target; body: Uint8Array }> {
  for (let turn = 0; ; turn += 1) {
    for (const target of targets) {
      const body = target.bodies[turn % target.bodies.length]
      // A copy: the pool transfers the buffer away.
      if (body !== undefined) yield { target, body: body.slice() }
    }
  }
}

async function measure(pool: Pool, targets: readonly Target[], job: ProbeJob): Promise<ProbeResult> {
  const latencies: number[] = []
  let failed = 0
  let error: string | undefined
  let measuring = false
  let stop = false
  const source = requests(targets)

  const loop = async () => {
    while (!stop) {
      const { value } = source.next()
      const { deployment, headers } = value.target
      const method = value.body.byteLength > 0 ? 'POST' : 'GET'
      const url = `http://localhost/fn/${deployment.function}`
      const request: InvocationRequest = { requestId: 'probe', method, url, headers, body: value.body }
      const startedAt = performance.now()
      const reply = await pool.run({ type: 'invoke', deployment, request, remainingMs: 60_000 })
      if (!measuring) continue
      latencies.push(performance.now() - startedAt)
      if (!reply.ok) {
        failed += 1
        error ??= `${reply.error.code}: ${reply.error.message}`
      }
    }
  }
  const loops = Array.from({ length: job.threads }, loop)
  await delay(job.warmUpMs)
  await say({ type: 'measuring' })
  measuring = true
  const startedAt = performance.now()
  await delay(job.windowMs)
  measuring = false
  const elapsedMs = performance.now() - startedAt
  stop = true
  await Promise.all(loops)
  return {
    requests: latencies.length,
    failed,
    ...(error === undefined ? {} : { error }),
    elapsedMs,
    latencyMs: latencyPercentiles(latencies),
    peakMemoryBytes: peakResidentBytes(),
  }
}

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
