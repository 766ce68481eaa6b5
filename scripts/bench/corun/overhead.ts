// The overhead of dispatch: what the server's process spends on a request against the same work in a bare loop.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { builtEntry } from '../../../runtime/core/package-root.ts'
import { threadTimes } from '../../../runtime/device/thread-times.ts'
import type { LoadItem, LoadResult } from '../load.ts'
import type { BareLoopJob, BareLoopResult } from './bare-loop.ts'
import type { Workload } from './workloads.ts'

export interface OverheadOptions {
  scratch: string
  /** Of the server; its trainer is another. */
  pid: number
  /** Threads of its pool. */
  threads: number
  rounds: number
  windowMs: number
  /** Asks the server as fast as it answers with a request a thread, for a window. */
  load(): Promise<LoadResult>
}

/** One ratio a round: processor seconds a request, server over bare loop. */
export async function dispatchOverhead(
  { items, bare }: Workload,
  options: OverheadOptions,
): Promise<number[]> {
  const { scratch, pid, threads, rounds, windowMs, load } = options
  const pictures = await writePictures(items, scratch)
  const job: BareLoopJob = { ...bare, pictures, threads }
  const jobFile = join(scratch, 'bare-loop.json')
  await writeFile(jobFile, JSON.stringify(job))
  const child = fork(builtEntry('bare-loop'), [jobFile])
  await once(child, 'message')
  const ratios: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    const before = processorSeconds(pid)
    const { requests } = await load()
    const served = (processorSeconds(pid) - before) / requests
    child.send({ ms: windowMs })
    const [{ runs, cpuSeconds }] = (await once(child, 'message')) as [BareLoopResult]
    ratios.push(served / (cpuSeconds / runs))
  }
  child.disconnect()
  await once(child, 'exit')
  return ratios
}

function processorSeconds(pid: number): number {
  const times = threadTimes(pid)
  if (times === undefined) throw new Error('this system does not tell the processor time of another process')
  return times.ranMs / 1000
}

function writePictures(items: readonly LoadItem[], scratch: string): Promise<string[]> {
  return Promise.all(
    items.map(async ({ body }, index) => {
      const file = join(scratch, `picture-${index}`)
      await writeFile(file, body)
      return file
    }),
  )
}
