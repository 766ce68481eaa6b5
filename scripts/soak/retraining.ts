// Retraining runs one after another under load: no request fails, the server does not grow, and the disk holds what retention says.
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { openLoop } from '../bench/load.ts'
import { startServer } from '../demo/server-process.ts'
import { randomFrom } from '../pictures/random.ts'
import { diskUse, model, postSample, residentOf, servingPid, startRun, untilIdle } from './box.ts'
import { tinyName, tinyPictures, writeTinyFunction } from './tiny-function.ts'

export interface RetrainingReport {
  runs: number
  requests: number
  failed: number
  /** The first few. */
  failures: string[]
  /** Of the process that serves, after the first run and at the end; medians of a second. Unit: bytes. */
  resident: { first: number; last: number; ratio: number }
  /** Files that are left. */
  files: { models: number; runs: number; checkpoints: number }
  p99Ms: number
}

const most = { residentRatio: 1.1, models: 8 }

/** `folder` is the soak's own. Throws when a run does not end well; what has to hold is told by `holds`. */
export async function soakRetraining(
  folder: string,
  { runs, rate, say }: { runs: number; rate: number; say(text: string): void },
): Promise<RetrainingReport & { holds: boolean }> {
  await writeTinyFunction(join(folder, 'functions'), { epochs: 3, checkpointSteps: 5 })
  const data = join(folder, 'data')
  const args = [
    '--supervise',
    '--port',
    '0',
    '--data',
    data,
    '--functions',
    join(folder, 'functions'),
    '--log-level',
    'warn',
  ]
  const pictures = await tinyPictures(64, 1)
  const server = await startServer(args)
  try {
    for (const picture of pictures) await postSample(server, picture)
    const random = randomFrom(1, 'arrivals')
    let stop = () => {}
    const stopped = new Promise<void>(resolve => {
      stop = resolve
    })
    const load = openLoop(
      `${server.url}/fn/${tinyName}`,
      pictures.map(({ label: _, ...item }) => item),
      {
        rate,
        until: stopped,
        random: () => random.between(0, 1),
      },
    )
    let first = 0
    for (let run = 1; run <= runs; run += 1) {
      await startRun(server)
      const [last] = (await untilIdle(server, 120_000)).runs
      if (last?.state !== 'promoted') throw new Error(`run ${run} is ${last?.state}: ${last?.reason}`)
      if (run === 1) first = await residentNow(await servingPid(data))
      if (run % 10 === 0)
        say(`run ${run} of ${runs}: ${Math.round((await residentOf(await servingPid(data))) / 2 ** 20)} MiB`)
    }
    const last = await residentNow(await servingPid(data))
    stop()
    const { requests, failed, failures, latencyMs } = await load
    const count = async (name: string) => (await diskUse(join(data, name))).files
    const files = {
      models: await count('models'),
      runs: await count('runs'),
      checkpoints: await count('checkpoints'),
    }
    const kept = (await model(server)).versions.filter(version => version.kept).length
    const resident = { first, last, ratio: last / first }
    const holds =
      failed === 0 &&
      resident.ratio <= most.residentRatio &&
      files.models === kept &&
      files.models <= most.models &&
      files.runs + files.checkpoints === 0
    return { runs, requests, failed, failures, resident, files, p99Ms: latencyMs.p99, holds }
  } finally {
    await server.stop()
  }
}

async function residentNow(pid: number): Promise<number> {
  const seen: number[] = []
  for (let look = 0; look < 10; look += 1) {
    seen.push(await residentOf(pid))
    await after(100)
  }
  return seen.toSorted((a, b) => a - b)[5] ?? Number.NaN
}
