/** How long the threads of a process have run, and how long they have waited for a core. Linux only. */
import { readdirSync, readFileSync } from 'node:fs'

export interface ThreadTimes {
  /** Sums over the threads that are alive now. Unit: ms. */
  ranMs: number
  /** Ready to run, and not running: the run delay of schedstat (Documentation/scheduler/sched-stats). */
  waitedMs: number
}

/** Undefined when the process has ended, or where the system does not tell. */
export function threadTimes(pid: number): ThreadTimes | undefined {
  const folder = `/proc/${pid}/task`
  let times: ThreadTimes | undefined
  try {
    for (const thread of readdirSync(folder)) {
      const [ran, waited] = readFileSync(`${folder}/${thread}/schedstat`, 'utf8').split(' ', 2).map(Number)
      times = {
        ranMs: (times?.ranMs ?? 0) + Number(ran) / 1e6,
        waitedMs: (times?.waitedMs ?? 0) + Number(waited) / 1e6,
      }
    }
  } catch {
    // A thread can end while its file is opened: the next look tells.
    return undefined
  }
  return times
}
