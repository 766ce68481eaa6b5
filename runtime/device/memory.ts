/** Memory of the box and of its processes. Unit: bytes. */
import { totalmem } from 'node:os'
import { readAround, readText } from './cgroup.ts'

/**
 * The smallest of the physical memory and the limits of the cgroup and those around it (cgroup v2, `memory.max`;
 * `max` means none, undefined that the file cannot be read).
 */
export function memoryLimitBytes(physical: number, cgroupMaxima: readonly (string | undefined)[]): number {
  const limits = cgroupMaxima.map(text => Number(text?.trim())).filter(limit => limit > 0)
  return Math.min(physical, ...limits)
}

const budgetShare = 0.8

/** What inference and training may take together unless the operator says otherwise: 80 % of what there is. */
export function memoryBudgetBytes(): number {
  // Node knows of cgroup v1.
  const limits = [...readAround('memory.max'), String(process.constrainedMemory())]
  return Math.floor(memoryLimitBytes(totalmem(), limits) * budgetShare)
}

function statusBytes(pid: number | 'self', field: 'VmRSS' | 'VmHWM'): number | undefined {
  const kibibytes = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(
    readText(`/proc/${pid}/status`) ?? '',
  )?.[1]
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024
}

/** Resident memory of a process now; 0 when it has ended, or where the system does not tell of other processes. */
export function residentBytes(pid: number): number {
  if (pid === process.pid) return process.memoryUsage.rss()
  return statusBytes(pid, 'VmRSS') ?? 0
}

/** The most resident memory that this process has had. */
export function peakResidentBytes(): number {
  return statusBytes('self', 'VmHWM') ?? process.resourceUsage().maxRSS * 1024
}
