/**
 * The probe process: one measurement of the real pool and worker code at one point. A process of its own, so that its
 * peak memory is the point's and its death is a data point.
 */
import { readFile } from 'node:fs/promises'
import { systemClock } from '../core/clock.ts'
import type { Provider } from '../core/config.ts'
import type { PoolReply } from '../core/messages.ts'
import { isOutOfMemory } from '../core/out-of-memory.ts'
import { readDeviceMemory } from '../device/device-memory.ts'
import { peakResidentBytes } from '../device/memory.ts'
import { createLogger } from '../observe/log.ts'
import { createPool, type Pool } from '../pool/pool.ts'
import { seededRandom } from '../training/random.ts'
import { createYielding, wantEveryCore } from '../yielding/yielding.ts'
import { latencyPercentiles } from './latency.ts'
import { createLatencyWindow, latencyWindowMs } from './latency-window.ts'
import { type ProbeEvent, type ProbeJob, type ProbeResult, probeJobSchema } from './probe-job.ts'
import { applyLoad, type LoadContext, type Target, warmThreads } from './probe-load.ts'
import { haveSettled, mostWindows, type WindowFigures, windowsThatAgree } from './stability.ts'

/** Of arrivals and of the mix: every point is asked the same. */
const seed = 1
/** Where not one request ends in the usual time, so many times as long is waited. */
const patience = 10

const say = (event: ProbeEvent) =>
  new Promise<void>(resolve => {
    if (process.send) process.send(event, () => resolve())
    else process.stdout.write(`${JSON.stringify(event)}\n`, () => resolve())
  })

interface Window {
  /** Milliseconds of each request: all of it, and the part of it in a thread. */
  requests: { latencyMs: number; runMs: number }[]
  failed: number
  elapsedMs: number
  cpuSeconds: number
}

async function measure(pool: Pool, targets: readonly Target[], job: ProbeJob): Promise<ProbeResult> {
  const windows: Window[] = []
  let window: Window | undefined
  let error: string | undefined
  let stop = false
  let memoryRanOut = false
  const trainer = job.trainer === null ? undefined : letYield(job, job.trainer)
  const context: LoadContext = {
    ...{ pool, targets, job },
    random: seededRandom(seed),
    ended: () => stop,
    onOutOfMemory() {
      memoryRanOut = true
    },
    onRunning: tasks => trainer?.running(tasks),
    onReply(reply: PoolReply<'invoke'>, startedAt: number) {
      if (reply.ok) trainer?.ran(reply.runMs)
      if (window === undefined) return
      window.requests.push({ latencyMs: performance.now() - startedAt, runMs: reply.runMs })
      if (reply.ok) return
      window.failed += 1
      error ??= `${reply.error.code}: ${reply.error.message}`
    },
  }
  await warmThreads(context)
  const load = applyLoad(context)
  await delay(job.warmUpMs)
  await say({ type: 'measuring' })
  const startedAt = performance.now()
  const counts = () => windows.slice(-windowsThatAgree).some(({ requests }) => requests.length > 0)
  const mayEnd = () =>
    memoryRanOut || (counts() && (windows.length >= mostWindows || haveSettled(windows.map(figuresOf))))
  while (!mayEnd() && windows.length < mostWindows * patience) {
    const [begun, cpu] = [performance.now(), process.cpuUsage()]
    const current: Window = { requests: [], failed: 0, elapsedMs: 0, cpuSeconds: 0 }
    window = current
    await delay(job.windowMs)
    current.elapsedMs = performance.now() - begun
    const { user, system } = process.cpuUsage(cpu)
    current.cpuSeconds = (user + system) / 1e6
    windows.push(current)
  }
  window = undefined
  const measuredMs = performance.now() - startedAt
  stop = true
  trainer?.end()
  await load
  if (memoryRanOut) throw new MemoryRanOut()
  if (!counts()) throw new Error(`no request was answered within ${Math.round(measuredMs)} ms`)
  const stable = haveSettled(windows.map(figuresOf))
  // Where they do not agree, the more of them the better.
  const counted = stable ? windows.slice(-windowsThatAgree) : windows
  const requests = counted.flatMap(({ requests }) => requests)
  const sum = (of: (window: Window) => number) => counted.reduce((total, each) => total + of(each), 0)
  return {
    requests: requests.length,
    failed: sum(({ failed }) => failed),
    ...(error === undefined ? {} : { error }),
    elapsedMs: sum(({ elapsedMs }) => elapsedMs),
    measuredMs,
    stable,
    latencyMs: latencyPercentiles(requests.map(({ latencyMs }) => latencyMs)),
    queueMs: latencyPercentiles(requests.map(({ latencyMs, runMs }) => Math.max(0, latencyMs - runMs))),
    runMs: latencyPercentiles(requests.map(({ runMs }) => runMs)),
    cpuSeconds: sum(({ cpuSeconds }) => cpuSeconds),
    peakMemoryBytes: peakResidentBytes(),
    deviceFreeBytes: (await readDeviceMemory())?.freeBytes ?? null,
  }
}

/** The trainer beside gives way to this load as it does to a server's requests. */
function letYield(
  { intraOpThreads, boundMs }: ProbeJob,
  { pid, ...settings }: NonNullable<ProbeJob['trainer']>,
) {
  const recent = createLatencyWindow(systemClock, latencyWindowMs)
  const yielding = createYielding({
    ...settings,
    asks: false,
    crowdedFrom: wantEveryCore(intraOpThreads),
    pressure: () => ({ queued: 0, p95Ms: recent.p95(), boundMs: boundMs ?? undefined }),
    clock: systemClock,
    log: createLogger('error'),
  })
  const followed = yielding.follow({ paused: () => false })
  followed.attach({ pid, send: () => {} }, true)
  return { running: yielding.running, ran: recent.add, end: followed.detach }
}

/** In a request, or in a batch that was then run in parts: this point is too large, whatever was answered. */
class MemoryRanOut extends Error {}

const figuresOf = ({ requests, elapsedMs }: Window): WindowFigures => ({
  rate: (requests.length / elapsedMs) * 1000,
  p95Ms: latencyPercentiles(requests.map(({ latencyMs }) => latencyMs)).p95,
})

const delay = (ms: number) => new Promise<void>(resolve => setTimeout(resolve, ms))

async function main(): Promise<void> {
  const job = probeJobSchema.parse(JSON.parse(await readFile(process.argv[2] ?? '', 'utf8')))
  const targets: Target[] = await Promise.all(
    job.load.map(async ({ deployment, contentType, bodies, share }) => ({
      deployment,
      share,
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
    await Promise.all(targets.map(({ deployment }) => pool.loadEverywhere(deployment)))
    await say({ type: 'result', result: await measure(pool, targets, job) })
  } finally {
    await pool.close()
  }
}

main().then(
  () => process.exit(0),
  async error => {
    const message = error instanceof Error ? error.message : String(error)
    const isMemory = error instanceof MemoryRanOut || isOutOfMemory(error)
    await say(isMemory ? { type: 'out-of-memory' } : { type: 'failed', message })
    process.exit(1)
  },
)
