/**
 * Deployments that every thread has loaded beside the one that serves: the version before, for a while, so that going
 * back to it loads nothing, and a candidate that is tried on live requests. At most one of each a function, so that memory
 * stays bounded. Loading is registry.ts's.
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
  /** Replaces the candidate of before. */
  addCandidate(deployment: Deployment): void
  candidate(name: string): Deployment | undefined
  removeCandidate(name: string): void
  /** `now` serves; `before`, which served, is kept warm in place of everything else. Without it nothing is kept. */
  served(name: string, now: Deployment, before?: Deployment): void
  /** The function is gone. */
  remove(name: string): void
  /** Memory is short: nothing is kept warm. */
  release(): void
  list(): { deployment: Deployment; role: 'warm' | 'candidate' }[]
  /** Ends the clocks; what is loaded ends with its threads. */
  close(): void
}

interface Kept {
  deployment: Deployment
  timer: NodeJS.Timeout
}

export function createBeside({ keepWarmMs, letGo }: BesideOptions): Beside {
  const warm = new Map<string, Kept>()
  const candidates = new Map<string, Deployment>()

  function forget(name: string): Deployment | undefined {
    const kept = warm.get(name)
    clearTimeout(kept?.timer)
    warm.delete(name)
    return kept?.deployment
  }
  function cool(name: string): void {
    const gone = forget(name)
    if (gone !== undefined) letGo(gone.id)
  }
  function removeCandidate(name: string): void {
    const gone = candidates.get(name)
    candidates.delete(name)
    if (gone !== undefined) letGo(gone.id)
  }

  return {
    find(name, id) {
      return [warm.get(name)?.deployment, candidates.get(name)].find(deployment => deployment?.id === id)
    },
    addCandidate(deployment) {
      const { function: name, id } = deployment
      if (candidates.get(name)?.id !== id) removeCandidate(name)
      // It has served before, and is warm: from now on it stays for as long as it is tried.
      if (warm.get(name)?.deployment.id === id) forget(name)
      candidates.set(name, deployment)
    },
    candidate: name => candidates.get(name),
    removeCandidate,
    served(name, now, before) {
      if (warm.get(name)?.deployment.id === now.id) forget(name)
      else cool(name)
      if (candidates.get(name)?.id === now.id) candidates.delete(name)
      else removeCandidate(name)
      if (before === undefined || before.id === now.id) return
      if (keepWarmMs === 0) return letGo(before.id)
      const timer = setTimeout(() => cool(name), keepWarmMs).unref()
      warm.set(name, { deployment: before, timer })
    },
    remove(name) {
      cool(name)
      removeCandidate(name)
    },
    release() {
      for (const name of [...warm.keys()]) cool(name)
    },
    list: () => [
      ...Array.from(warm.values(), ({ deployment }) => ({ deployment, role: 'warm' as const })),
      ...Array.from(candidates.values(), deployment => ({ deployment, role: 'candidate' as const })),
    ],
    close() {
      for (const { timer } of warm.values()) clearTimeout(timer)
    },
  }
}
