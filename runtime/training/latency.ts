/** How long two models take for one picture in warm sessions, measured in turns so that both meet the same machine. */
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import type { Latency, TrainerJob } from '../core/trainer-messages.ts'
import type { Control } from './control.ts'
import { createSession } from './evaluate.ts'
import { sessionOptions } from './session-options.ts'

export interface LatencyOptions {
  job: TrainerJob
  /** Channels, height and width of a picture. */
  dims: readonly number[]
  /** Above this share more than `before` another round is made, until one is below it or all are made. */
  maxSlowdown: number
  control: Control
}

const warmUpRuns = 3
const mostRounds = 5
const pairs = { least: 5, most: 25, budgetMs: 1500 }

/** Undefined when it was stopped. */
export async function compareLatency(
  before: string,
  after: string,
  { job, dims, maxSlowdown, control }: LatencyOptions,
): Promise<Latency | undefined> {
  // As a pool thread runs them.
  const options = sessionOptions({ ...job, threads: 1 })
  const sessions: InferenceSession[] = []
  try {
    for (const file of [before, after]) sessions.push(await createSession(file, options))
    return await inTurns(sessions, pictureOf(job, dims), maxSlowdown, control)
  } finally {
    for (const session of sessions) await session.release()
  }
}

async function inTurns(
  sessions: readonly InferenceSession[],
  feeds: Record<string, Tensor>,
  maxSlowdown: number,
  control: Control,
): Promise<Latency | undefined> {
  const time = async (session: InferenceSession) => {
    const startedAt = performance.now()
    await session.run(feeds)
    return performance.now() - startedAt
  }
  let usualMs = 0
  for (let run = 0; run < warmUpRuns; run += 1) {
    for (const session of sessions) usualMs = await time(session)
  }
  const count = Math.round(Math.min(pairs.most, Math.max(pairs.least, pairs.budgetMs / (2 * usualMs))))
  let best: Latency | undefined
  for (let rounds = 1; rounds <= mostRounds; rounds += 1) {
    const times: number[][] = sessions.map(() => [])
    for (let pair = 0; pair < count; pair += 1) {
      if (!(await control.mayGoOn())) return undefined
      // Who goes first changes from pair to pair.
      const order = pair % 2 === 0 ? [0, 1] : [1, 0]
      for (const which of order) {
        const session = sessions[which]
        if (session) times[which]?.push(await time(session))
      }
    }
    const [beforeMs = 0, afterMs = 0] = times.map(median)
    const ratio = afterMs / beforeMs
    best =
      best !== undefined && best.ratio <= ratio ? { ...best, rounds } : { beforeMs, afterMs, ratio, rounds }
    if (best.ratio <= 1 + maxSlowdown) return best
  }
  return best
}

/** A picture of nothing: how long a network takes does not depend on what it sees. */
function pictureOf({ model }: TrainerJob, dims: readonly number[]): Record<string, Tensor> {
  const size = dims.reduce((product, dim) => product * dim, 1)
  return { [model.inputName]: new Tensor('float32', new Float32Array(size).fill(0.5), [1, ...dims]) }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
