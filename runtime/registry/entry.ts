/** What the registry knows of one function, and how many requests hold its deployments. */
import { createHash } from 'node:crypto'
import type { DeployedModel, DeployedRetraining, Deployment } from '../core/deployment.ts'

export interface FunctionEntry {
  name: string
  /** Absolute path of its source. */
  file: string
  /** `failed`: never had a deployment that works. After that, a failure leaves the last good one serving. */
  state: 'deploying' | 'ready' | 'failed'
  deployment?: Deployment
  retraining?: DeployedRetraining
  /** What keeps its source, or that of its retraining, from being deployed; cleared by a deployment of both. */
  lastError?: { code: string; message: string; at: string }
}

/** 16 hexadecimal digits over everything that answers: the bundle, and each model's content. */
export function deploymentId(bundleHash: string, models: Record<string, DeployedModel>): string {
  const parts = Object.values(models)
    .map(({ id, sha256 }) => `${id}=${sha256}`)
    .sort()
  return createHash('sha256')
    .update([bundleHash, ...parts].join('\n'))
    .digest('hex')
    .slice(0, 16)
}

/** Counts who uses what, and tells when something that is no longer wanted is no longer used. */
export function createLeases(onUnused: (id: string) => void) {
  const held = new Map<string, number>()
  const unwanted = new Set<string>()
  return {
    take(id: string): () => void {
      held.set(id, (held.get(id) ?? 0) + 1)
      let released = false
      return () => {
        if (released) return
        released = true
        const left = (held.get(id) ?? 1) - 1
        if (left > 0) held.set(id, left)
        else {
          held.delete(id)
          if (unwanted.delete(id)) onUnused(id)
        }
      }
    },
    /** `id` serves again, so that it is not given up. */
    want(id: string): void {
      unwanted.delete(id)
    },
    /** Given up at once, or with its last lease. */
    giveUp(id: string): void {
      if (held.has(id)) unwanted.add(id)
      else onUnused(id)
    },
  }
}
