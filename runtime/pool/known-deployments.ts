/**
 * Which thread has loaded which deployment: it is then sent a name for it and not all of it with each request, which
 * would be cloned twice, the labels of a model too. Bookkeeping; the thread keeps the deployments themselves.
 */
import type { PoolTask } from '../core/messages.ts'

export interface KnownDeployments {
  /** The task as it travels to that thread. */
  shorten(task: PoolTask, threadId: number): PoolTask
  /** The thread has answered it with a result. */
  done(task: PoolTask, threadId: number): void
}

/** `threads`: those that there are; what others knew is forgotten. */
export function createKnownDeployments(threads: () => readonly number[]): KnownDeployments {
  const known = new Map<number, Set<string>>()

  function learn(threadId: number, deploymentId: string): void {
    const ids = known.get(threadId)
    if (ids !== undefined) {
      ids.add(deploymentId)
      return
    }
    const present = new Set(threads())
    for (const ended of [...known.keys()].filter(id => !present.has(id))) known.delete(ended)
    known.set(threadId, new Set([deploymentId]))
  }

  return {
    shorten(task, threadId) {
      if (task.type === 'unload') known.get(threadId)?.delete(task.deploymentId)
      if (task.type !== 'invoke' && task.type !== 'invoke-batch') return task
      const { id, function: name } = task.deployment
      return known.get(threadId)?.has(id) ? { ...task, deployment: { id, function: name } } : task
    },
    done(task, threadId) {
      if (task.type === 'load' || task.type === 'invoke') learn(threadId, task.deployment.id)
    },
  }
}
