/** What the weights of a model take in all sessions together: an estimate by file sizes, without what runs need. */
import type { DeployedModel } from './deployment.ts'

export interface ModelMemory {
  /** `shared`: one copy for all sessions. */
  weights: 'shared' | 'plain'
  /** Why that form. */
  why: string
  sessions: number
  estimatedBytes: number
}

/** `sessions`: one a thread of the pool. Undefined for a model whose form is not known. */
export function modelMemory({ prepared }: DeployedModel, sessions: number): ModelMemory | undefined {
  if (prepared === undefined) return undefined
  const { form, why, weightBytes } = prepared
  const copies = form === 'shared' ? Math.min(1, sessions) : sessions
  return { weights: form, why, sessions, estimatedBytes: weightBytes * copies }
}
