// Load on a function URL: a closed loop (as fast as answers come) and open loops (Poisson arrivals, or any times; latency
// from the intended start, so that late answers are not omitted). Keep-alive connections of node:http: fetch would cost
// the same cores several times as much.
import { Agent, request as httpRequest } from 'node:http'
import { latencyPercentiles } from '../../runtime/profiling/latency.ts'

export interface LoadItem {
  body: Buffer
  contentType: string
  /** The right answer, for accuracy. */
  label?: string
}

export interface LoadAnswer {
  item: LoadItem
  status: number
  body: string
  /** Header x-corun-version. */
  version: string | undefined
  latencyMs: number
}

export interface LoadResult {
  requests: number
  /** Answers other than 2xx, and requests without an answer. */
  failed: number
  seconds: number
  throughput: number
  latencyMs: { p50: number; p95: number; p99: number }
  /** Share of answers whose `label` is the item's; null where items carry none. */
  accuracy: number | null
  /** Every version that answered. */
  versions: string[]
  /** The first few failures, for the reader. */
  failures: string[]
}

export function createClient(url: string, connections: number) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const target = new URL(url)
  const send = (item: LoadItem, startedAt = performance.now()): Promise<LoadAnswer> =>
    new Promise((resolve, reject) => {
      const headers = { 'content-type': item.contentType, 'content-length': item.body.byteLength }
      const request = httpRequest(target, { agent, method: 'POST', headers }, response => {
        const chunks: Buffer[] = []
        response.on('data', chunk => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const version = response.headers['x-corun-version']
          resolve({
            item,
            status: response.statusCode ?? 0,
            body: Buffer.concat(chunks).toString('utf8'),
            version: typeof version === 'string' ? version : undefined,
            latencyMs: performance.now() - startedAt,
          })
        })
      })
      request.on('error', reject)
      request.end(item.body)
    })
  return { send, close: () => agent.destroy() }
}

/** Gathers answers into a result. */
function createTally() {
  const startedAt = performance.now()
  const latencies: number[] = []
  const versions = new Set<string>()
  const failures: string[] = []
  let requests = 0
  let failed = 0
  let labelled = 0
  let right = 0
  const fail = (text: string) => {
    failed += 1
    if (failures.length < 5) failures.push(text)
  }
  return {
    answer({ item, status, body, version, latencyMs }: LoadAnswer) {
      requests += 1
      latencies.push(latencyMs)
      if (version !== undefined) versions.add(version)
      if (status < 200 || status > 299) return fail(`${status} ${body.slice(0, 200)}`)
      if (item.label === undefined) return
      labelled += 1
      if (JSON.parse(body).label === item.label) right += 1
    },
    error(error: Error) {
      requests += 1
      fail(error.message)
    },
    result(): LoadResult {
      const seconds = (performance.now() - startedAt) / 1000
      return {
        requests,
        failed,
        seconds,
        throughput: (requests - failed) / seconds,
        latencyMs: latencyPercentiles(latencies),
        accuracy: labelled === 0 ? null : right / labelled,
        versions: [...versions],
        failures,
      }
    },
  }
}

/** Sends every item once, `concurrency` at a time, each as soon as one has been answered. */
export async function closedLoop(
  url: string,
  items: Iterable<LoadItem>,
  concurrency: number,
): Promise<LoadResult> {
  const client = createClient(url, concurrency)
  const tally = createTally()
  const rest = items[Symbol.iterator]()
  const loop = async () => {
    for (let next = rest.next(); !next.done; next = rest.next()) {
      await client.send(next.value).then(tally.answer, tally.error)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, loop))
  client.close()
  return tally.result()
}

export interface OpenLoopOptions {
  /** Mean arrivals a second. */
  rate: number
  /** Ends the arrivals; those that are out are waited for. */
  until: Promise<unknown>
  random: () => number
}

/** Sends items in turn at Poisson arrivals, whether or not earlier ones have been answered. */
export function openLoop(
  url: string,
  items: readonly LoadItem[],
  { rate, until, random }: OpenLoopOptions,
): Promise<LoadResult> {
  let ended = false
  void until.then(() => {
    ended = true
  })
  function* poisson() {
    // Exponential gaps make a Poisson process.
    for (let at = 0; !ended; ) {
      at += (-Math.log(1 - random()) / rate) * 1000
      yield at
    }
  }
  return sendAt(url, items, poisson())
}

/** Sends items in turn at these times from now, in ms, ascending, whether or not earlier ones have been answered. */
export async function sendAt(
  url: string,
  items: readonly LoadItem[],
  times: Iterable<number>,
): Promise<LoadResult> {
  const client = createClient(url, 1024)
  const tally = createTally()
  const out = new Set<Promise<void>>()
  const startedAt = performance.now()
  let turn = 0
  for (const time of times) {
    const intendedAt = startedAt + time
    const waitMs = intendedAt - performance.now()
    if (waitMs > 0) await new Promise(resolve => setTimeout(resolve, waitMs))
    const item = items[turn++ % items.length]
    if (item === undefined) break
    const sent = client.send(item, intendedAt).then(tally.answer, tally.error)
    out.add(sent)
    void sent.then(() => out.delete(sent))
  }
  await Promise.all(out)
  client.close()
  return tally.result()
}
