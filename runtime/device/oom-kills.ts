/** Whether the kernel has killed for memory: tells such a SIGKILL from one that a person sent. */
import { readFileSync } from 'node:fs'

/** Processes that the kernel has killed for memory since it started, in whatever cgroup; undefined: it does not tell. */
export function oomKills(): number | undefined {
  try {
    const count = /^oom_kill (\d+)$/m.exec(readFileSync('/proc/vmstat', 'utf8'))?.[1]
    return count === undefined ? undefined : Number(count)
  } catch {
    return undefined
  }
}
