/**
 * Two pools that look like one, for a provider that allows one thread a process: that thread, whose concurrency is the
 * batch, and beside it threads that never touch the device. What goes where is choose-place.ts's.
 */
import type { Deployment } from '../core/deployment.ts'
import type { PoolReply, PoolTask } from '../core/messages.ts'
import { type Place, placeOf, placeOfTask } from './choose-place.ts'
import { createPool, type Pool, type PoolOptions } from './pool.ts'

export interface SplitPoolOptions extends PoolOptions {
  /** Threads that never touch the device. */
  hostThreads: number
}

export function createSplitPool({ hostThreads, ...options }: SplitPoolOptions): Pool {
  return splitPool({
    device: createPool(options),
    host: createPool({ ...options, provider: 'cpu', threads: hostThreads }),
  })
}

export function splitPool(pools: Record<Place, Pool>): Pool {
  const both = [pools.device, pools.host]
  const places = new Map<string, Place>()

  async function unloadEverywhere(deploymentId: string): Promise<void> {
    const place = places.get(deploymentId)
    const from = place === undefined ? both : [pools[place]]
    places.delete(deploymentId)
    await Promise.all(from.map(pool => pool.unloadEverywhere(deploymentId)))
  }

  return {
    run: <Type extends PoolTask['type']>(task: Extract<PoolTask, { type: Type }>): Promise<PoolReply<Type>> =>
      pools[placeOfTask(task, places) ?? 'host'].run<Type>(task),
    async loadEverywhere(deployment: Deployment) {
      const place = placeOf(deployment)
      await pools[place].loadEverywhere(deployment)
      places.set(deployment.id, place)
    },
    unloadEverywhere,
    expectStream(...expected) {
      // The call's thread is not known yet, and its key is nobody else's.
      const forget = both.map(pool => pool.expectStream(...expected))
      return () => {
        for (const each of forget) each()
      }
    },
    stats() {
      const [device, host] = [pools.device.stats(), pools.host.stats()]
      const restartsBy = { ...device.restartsBy }
      for (const [why, count] of Object.entries(host.restartsBy) as [keyof typeof restartsBy, number][]) {
        restartsBy[why] = (restartsBy[why] ?? 0) + count
      }
      return {
        threads: device.threads + host.threads,
        busy: device.busy + host.busy,
        restarts: device.restarts + host.restarts,
        restartsBy,
      }
    },
    async close() {
      await Promise.all(both.map(pool => pool.close()))
    },
  }
}
