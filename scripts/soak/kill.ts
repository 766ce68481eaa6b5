// kill -9 of server or trainer at random instants: after each, the next start serves exactly one version, has every sample
// that was answered 201, and brings every run to its end.

import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { closedLoop, type LoadItem } from '../bench/load.ts'
import { type ServerProcess, startServer } from '../demo/server-process.ts'
import { randomFrom } from '../pictures/random.ts'
import { model, postSample, residentOf, sampleIds, startRun, trainerOf, untilIdle } from './box.ts'
import { tinyName, tinyPictures, writeTinyFunction } from './tiny-function.ts'

export interface KillReport {
  kills: { server: number; trainer: number }
  /** Samples that were answered 201. */
  samples: number
  /** How the runs ended. */
  runs: Record<string, number>
  /** Runs that went on with one that had been interrupted, at a checkpoint and from the beginning. */
  resumed: { atCheckpoint: number; afresh: number }
  versions: number
}

/** `folder` is the soak's own. Throws at the first thing that does not hold. */
export async function soakKills(
  folder: string,
  { kills, seed, say }: { kills: number; seed: number; say(text: string): void },
): Promise<KillReport> {
  const random = randomFrom(seed, 'kills')
  await writeTinyFunction(join(folder, 'functions'), { epochs: 40, checkpointSteps: 10 })
  const args = ['--port', '0', '--data', join(folder, 'data'), '--functions', join(folder, 'functions')]
  args.push('--log-level', 'warn')
  const pictures = await tinyPictures(40 + 3 * kills, seed)
  const taken = new Set<string>()
  const killed = { server: 0, trainer: 0 }

  const post = async (server: ServerProcess, items: readonly LoadItem[]) => {
    for (const item of items) {
      const id = await postSample(server, item)
      if (id !== undefined) taken.add(id)
    }
  }
  const check = async (server: ServerProcess) => {
    const { versions } = await model(server)
    const current = versions.filter(({ state }) => state === 'current')
    if (current.length !== 1) throw new Error(`${current.length} versions are current`)
    const asked = await closedLoop(`${server.url}/fn/${tinyName}`, pictures.slice(0, 4), 2)
    if (asked.failed > 0) throw new Error(`the function fails: ${asked.failures.join()}`)
    const present = await sampleIds(server)
    const lost = [...taken].filter(id => !present.has(id))
    if (lost.length > 0) throw new Error(`${lost.length} samples are lost: ${lost.join()}`)
  }

  let server = await startServer(args)
  try {
    await post(server, pictures.slice(0, 40))
    for (let kill = 0; kill < kills; kill += 1) {
      await check(server)
      // One that goes on after the last kill is refused a second one.
      await startRun(server).catch(() => undefined)
      const posting = post(server, pictures.slice(40 + 3 * kill, 43 + 3 * kill))
      await after(random.between(0, 1500))
      const trainer = random.chance(0.5) ? await trainerOf(server) : undefined
      if (trainer === undefined) {
        process.kill(server.pid, 'SIGKILL')
        killed.server += 1
        await Promise.all([server.stop(), posting])
        server = await startServer(args)
      } else {
        try {
          process.kill(trainer, 'SIGKILL')
          killed.trainer += 1
        } catch {
          // It has just ended by itself.
        }
        await posting
      }
      say(
        `kill ${kill + 1} of ${kills}: ${trainer === undefined ? 'server' : 'trainer'}, ${taken.size} samples`,
      )
    }
    // One that nobody kills.
    await untilIdle(server, 120_000)
    await startRun(server)
    const view = await untilIdle(server, 120_000)
    await check(server)
    say(`server: ${Math.round((await residentOf(server.pid)) / 2 ** 20)} MiB`)
    const runs: Record<string, number> = {}
    for (const { state } of view.runs) runs[state] = (runs[state] ?? 0) + 1
    const resumed = view.runs.filter(run => run.resumes !== null)
    return {
      kills: killed,
      samples: taken.size,
      runs,
      resumed: {
        atCheckpoint: resumed.filter(run => (run.resumes?.step ?? 0) > 0).length,
        afresh: resumed.filter(run => run.resumes?.step === 0).length,
      },
      versions: (await model(server)).versions.length,
    }
  } finally {
    await server.stop()
  }
}
