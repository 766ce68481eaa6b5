// One workload under the suite `corun`: rounds in which serving goes without training and beside it, by turns, through
// the URLs of two servers that differ in the floor of training alone. Each ratio is of neighbours in time.
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { type ServerProcess, startServer } from '../../demo/server-process.ts'
import { randomFrom } from '../../pictures/random.ts'
import { burstTimes, minuteRates } from '../bursts.ts'
import { closedLoop, type LoadItem, type LoadResult, openLoop, sendAt } from '../load.ts'
import { dispatchOverhead } from './overhead.ts'
import { after, type BenchTrainer, postSample, trainerOf } from './trainer.ts'
import type { Workload } from './workloads.ts'

/** How often and how long is measured. Unit: ms. */
export interface Lengths {
  rounds: number
  saturatedMs: number
  halfMs: number
  stepsMs: number
  /** Rounds beside the default floor, whose few steps need longer windows. */
  floorRounds: number
  floorMs: number
  levelMs: number
  /** Minutes of the bursts, and how long each takes here. */
  minutes: number
  minuteMs: number
}

export interface Found {
  /** Ratios, one a round: training over without. */
  p99: number[]
  burstP99: number[]
  throughputWithoutFloor: number[]
  throughputWithFloor: number[]
  /** Steps a second over those alone. */
  stepsAtHalf: number[]
  stepsAtFloor: number[]
  shares: number[]
  /** Growth over that of a straight line: at most 1 is linear. */
  latencyGrowth: number[]
  epochGrowth: number[]
  overhead: number[]
  failed: number
  requests: number
}

/** Requests in flight while the box is saturated: more than it has slots, so that some always wait. */
const saturating = 8

interface Side {
  server: ServerProcess
  trainer: BenchTrainer
  url: string
}

async function startSide(workload: Workload, data: string, share: string | undefined): Promise<Side> {
  const { functions, name, trained, samples } = workload
  const server = await startServer([
    ...['--port', '0', '--functions', functions, '--data', data, '--profiles', join(data, 'profiles')],
    ...(share === undefined ? [] : ['--training-share', share]),
  ])
  for (const sample of samples) await postSample(server.url, trained, sample)
  const trainer = trainerOf(server.url, trained)
  await trainer.start()
  await trainer.pause()
  return { server, trainer, url: `${server.url}/fn/${name}` }
}

export async function measureWorkload(
  workload: Workload,
  scratch: string,
  lengths: Lengths,
  say: (text: string) => void,
): Promise<Found> {
  const { items } = workload
  const withFloor = await startSide(workload, join(scratch, 'data'), undefined)
  const sides = [withFloor]
  const found: Found = {
    ...{ p99: [], burstP99: [], throughputWithoutFloor: [], throughputWithFloor: [] },
    ...{ stepsAtHalf: [], stepsAtFloor: [], shares: [], latencyGrowth: [], epochGrowth: [], overhead: [] },
    ...{ failed: 0, requests: 0 },
  }
  const random = randomFrom(7, 'arrivals')
  const uniform = () => random.between(0, 1)
  const counted = async (load: Promise<LoadResult>) => {
    const result = await load
    found.requests += result.requests
    found.failed += result.failed
    if (result.failed > 0) say(`  failed: ${result.failures.join('; ')}`)
    return result
  }
  const closed = ({ url }: Side, ms: number, inFlight: number) =>
    counted(closedLoop(url, endless(items, after(ms)), inFlight))
  const saturate = (side: Side, ms = lengths.saturatedMs) => closed(side, ms, saturating)
  const half = ({ url }: Side, rate: number) =>
    counted(openLoop(url, items, { rate, until: after(lengths.halfMs), random: uniform }))
  /** Runs `work` beside the training of that side, and pauses it again. */
  const beside = async <T>({ trainer }: Side, work: () => Promise<T>): Promise<T> => {
    await trainer.resume()
    try {
      return await work()
    } finally {
      await trainer.pause()
    }
  }

  try {
    const withoutFloor = await startSide(workload, join(scratch, 'data-without-floor'), '0')
    sides.push(withoutFloor)
    let rate = (await saturate(withFloor)).throughput / 2

    for (let round = 0; round < lengths.rounds; round += 1) {
      const without = async () => ({ most: await saturate(withFloor), half: await half(withFloor, rate) })
      const training = () =>
        beside(withFloor, async () => {
          const alone = await withFloor.trainer.stepsDuring(() => after(lengths.stepsMs))
          return { alone, half: await withFloor.trainer.stepsDuring(() => half(withFloor, rate)) }
        })
      // Who goes first takes turns, so that a machine that slows down favours neither.
      const ahead = round % 2 === 0 ? await without() : undefined
      const besides = await training()
      // Of one server: the other has answered more, and is warmer.
      const unboundedAlone = async () => (await saturate(withoutFloor)).throughput
      const before = round % 2 === 0 ? await unboundedAlone() : undefined
      const unbounded = (await beside(withoutFloor, () => saturate(withoutFloor))).throughput
      const alone = before ?? (await unboundedAlone())
      const serving = ahead ?? (await without())
      const steps = besides.half.perSecond / besides.alone.perSecond
      const { most } = serving
      found.p99.push(besides.half.result.latencyMs.p99 / serving.half.latencyMs.p99)
      found.throughputWithoutFloor.push(unbounded / alone)
      found.stepsAtHalf.push(steps)
      found.shares.push(besides.half.result.throughput / most.throughput + steps)
      say(
        `  ${alone.toFixed(0)}/s alone, ${unbounded.toFixed(0)}/s beside; at ${rate.toFixed(0)}/s p99 ${serving.half.latencyMs.p99.toFixed(1)} and ${besides.half.result.latencyMs.p99.toFixed(1)} ms; ${besides.alone.perSecond.toFixed(1)} and ${besides.half.perSecond.toFixed(1)} steps/s`,
      )
      rate = most.throughput / 2
    }

    for (let round = 0; round < lengths.floorRounds; round += 1) {
      const most = await saturate(withFloor)
      const { alone, floor } = await beside(withFloor, async () => ({
        alone: await withFloor.trainer.stepsDuring(() => after(lengths.stepsMs)),
        floor: await withFloor.trainer.stepsDuring(() => saturate(withFloor, lengths.floorMs)),
      }))
      found.throughputWithFloor.push(floor.result.throughput / most.throughput)
      found.stepsAtFloor.push(floor.perSecond / alone.perSecond)
      say(
        `  with the floor ${floor.result.throughput.toFixed(0)}/s of ${most.throughput.toFixed(0)}/s, ${floor.perSecond.toFixed(2)} of ${alone.perSecond.toFixed(1)} steps/s`,
      )
    }

    await growth(withFloor)
    await bursts(withFloor, rate)
    const threads = availableParallelism()
    found.overhead = await dispatchOverhead(workload, {
      ...{ scratch, pid: withFloor.server.pid, threads },
      ...{ rounds: lengths.floorRounds, windowMs: lengths.saturatedMs },
      load: () => closed(withFloor, lengths.saturatedMs, threads),
    })
    return found
  } finally {
    for (const { server } of sides) await server.stop()
  }

  /** From one request in flight to twice as many as there are cores, beside training: p50, and the time of a step. */
  async function growth(side: Side): Promise<void> {
    const levels = Array.from({ length: 2 * availableParallelism() }, (_, level) => level + 1)
    const measured = await beside(side, async () => {
      const results: { p50: number; stepSeconds: number }[] = []
      for (const level of levels) {
        const { result, perSecond } = await side.trainer.stepsDuring(() =>
          closed(side, lengths.levelMs, level),
        )
        results.push({ p50: result.latencyMs.p50, stepSeconds: 1 / perSecond })
      }
      return results
    })
    const [one] = measured
    for (const [index, { p50, stepSeconds }] of measured.entries()) {
      const level = index + 1
      say(`  ${level} at once beside training: p50 ${p50.toFixed(1)} ms, a step ${stepSeconds.toFixed(2)} s`)
      if (one === undefined || level === 1) continue
      found.latencyGrowth.push(p50 / one.p50 / level)
      // A floor keeps steps from growing without end once the box is full.
      found.epochGrowth.push(stepSeconds / one.stepSeconds / level)
    }
  }

  /** Bursts whose mean is a third of what saturates: some minutes are over it. */
  async function bursts(side: Side, halfRate: number): Promise<void> {
    const { minutes, minuteMs } = lengths
    const mean = (halfRate * 2 * minuteMs) / 3 / 1000
    const rates = minuteRates(minutes, { mean, random: uniform })
    const send = () => counted(sendAt(side.url, items, burstTimes(rates, { minuteMs, random: uniform })))
    const without = await send()
    const training = await beside(side, send)
    found.burstP99.push(training.latencyMs.p99 / without.latencyMs.p99)
  }
}

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
