/**
 * Deployments that every thread has loaded beside the one that serves: the version before, for a while, so that going
 * back to it loads nothing. At most one a function, so that memory stays bounded. Loading is registry.ts's.
 */
import type { Deployment } from '../core/deployment.ts'

export interface BesideOptions {
  /** How long what served before is kept. 0: not at all. Unit: ms. */
  keepWarmMs: number
  /** It may be unloaded, as soon as no request holds it. */
  letGo(deploymentId: string): void
}

export interface Beside {
  /** Undefined when it is not loaded beside the one that serves. */
  find(name: string, deploymentId: string): Deployment | undefined
  /** `now` serves; `before`, which served, is kept warm in place of everything else. Without it nothing is kept. */
  served(name: string, now: Deployment, before?: Deployment): void
  /** The function is gone. */
  remove(name: string): void
  /** Memory is short: nothing is kept. */
  release(): void
  list(): Deployment[]
  /** Ends the clocks; what is loaded ends with its threads. */
  close(): void
}

interface Kept {
  deployment: Deployment
  timer: NodeJS.Timeout
}

export function createBeside({ keepWarmMs, letGo }: BesideOptions): Beside {
  const warm = new Map<string, Kept>()

  function forget(name: string): Deployment | undefined {
    const kept = warm.get(name)
    clearTimeout(kept?.timer)
    warm.delete(name)
    return kept?.deployment
  }
  function remove(name: string): void {
    const gone = forget(name)
    if (gone !== undefined) letGo(gone.id)
  }

  return {
    find(name, id) {
      const deployment = warm.get(name)?.deployment
      return deployment?.id === id ? deployment : undefined
    },
    served(name, now, before) {
      if (warm.get(name)?.deployment.id === now.id) forget(name)
      else remove(name)
      if (before === undefined || before.id === now.id) return
      if (keepWarmMs === 0) return letGo(before.id)
      const timer = setTimeout(() => remove(name), keepWarmMs).unref()
      warm.set(name, { deployment: before, timer })
    },
    remove,
    release() {
      for (const name of [...warm.keys()]) remove(name)
    },
    list: () => [...warm.values()].map(({ deployment }) => deployment),
    close() {
      for (const { timer } of warm.values()) clearTimeout(timer)
    },
  }
}
