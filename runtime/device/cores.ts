/** How many processor cores this process may use. */
import { availableParallelism } from 'node:os'
import { readAround, readText } from './cgroup.ts'

/**
 * By the affinity of the process, which is all that Node counts, and by the quotas of the cgroups around it, rounded up: a
 * container with two of 64 cores has two.
 */
export const cores = (): number =>
  coresWithin(availableParallelism(), [...readAround('cpu.max'), quotaOfV1()])

/** `quotas`: texts of `cpu.max`, two numbers in µs: so much time in each period. Others are none. Pure. */
export function coresWithin(most: number, quotas: readonly (string | undefined)[]): number {
  const allowed = quotas.map(text => {
    const [quota = Number.NaN, period = Number.NaN] = (text ?? '').trim().split(/\s+/).map(Number)
    return quota > 0 && period > 0 ? Math.ceil(quota / period) : most
  })
  return Math.min(most, ...allowed)
}

/** cgroup v1, as it is mounted in a container. */
function quotaOfV1(): string | undefined {
  const [quota, period] = ['quota', 'period'].map(name => readText(`/sys/fs/cgroup/cpu/cpu.cfs_${name}_us`))
  return quota && period && `${quota.trim()} ${period.trim()}`
}
