/**
 * Which thread has loaded which deployment: it is then sent a name for it and not all of it with each request, which
 * would be cloned twice, the labels of a model too; and before it ends it is asked to call the `dispose` of each.
 * Bookkeeping; the thread keeps the deployments themselves.
 */
import type { Deployment } from '../core/deployment.ts'
import type { PoolTask } from '../core/messages.ts'

export interface KnownDeployments {
  /** The task as it travels to that thread. */
  shorten(task: PoolTask, threadId: number): PoolTask
  /** The thread has answered it with a result. */
  done(task: PoolTask, threadId: number): void
  /** With a `dispose`, sent to that thread and not unloaded there since, in their order: it may have loaded them. */
  toDispose(threadId: number): Deployment[]
}

interface Knowledge {
  loaded: Set<string>
  disposing: Map<string, Deployment>
}

/** `threads`: those that there are, new ones and leaving ones too; what others knew is forgotten. */
export function createKnownDeployments(threads: () => readonly number[]): KnownDeployments {
  const known = new Map<number, Knowledge>()

  function of(threadId: number): Knowledge {
    const present = known.get(threadId)
    if (present !== undefined) return present
    const live = new Set(threads())
    for (const ended of [...known.keys()].filter(id => !live.has(id))) known.delete(ended)
    const made: Knowledge = { loaded: new Set(), disposing: new Map() }
    known.set(threadId, made)
    return made
  }

  return {
    shorten(task, threadId) {
      if (task.type === 'unload') {
        known.get(threadId)?.loaded.delete(task.deploymentId)
        known.get(threadId)?.disposing.delete(task.deploymentId)
      }
      if (task.type !== 'load' && task.type !== 'invoke' && task.type !== 'invoke-batch') return task
      const { deployment } = task
      if (task.type !== 'load' && known.get(threadId)?.loaded.has(deployment.id)) {
        return { ...task, deployment: { id: deployment.id, function: deployment.function } }
      }
      if ('bundle' in deployment && deployment.description.disposes) {
        of(threadId).disposing.set(deployment.id, deployment)
      }
      return task
    },
    done(task, threadId) {
      if (task.type === 'load' || task.type === 'invoke') of(threadId).loaded.add(task.deployment.id)
    },
    toDispose: threadId => [...(known.get(threadId)?.disposing.values() ?? [])],
  }
}
