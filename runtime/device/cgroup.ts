/** The cgroup of this process and those around it, whose limits hold for all below them. Linux. */
import { readFileSync } from 'node:fs'

/** Undefined when it cannot be read. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** A file of a cgroup, and of every cgroup around it (cgroup v2). Pure. */
export function filesAround(group: string, file: string): string[] {
  const parts = group.split('/').filter(part => part !== '')
  return Array.from({ length: parts.length + 1 }, (_, count) =>
    ['/sys/fs/cgroup', ...parts.slice(0, count), file].join('/'),
  )
}

/** What they say, of the cgroup of this process. */
export function readAround(file: string): (string | undefined)[] {
  const group = /^0::(.*)$/m.exec(readText('/proc/self/cgroup') ?? '')?.[1] ?? ''
  return filesAround(group, file).map(readText)
}
