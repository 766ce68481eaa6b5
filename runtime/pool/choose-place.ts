/** Which threads run what where the execution provider allows one thread a process. Pure. */
import type { Deployment } from '../core/deployment.ts'
import type { DeploymentName, PoolTask } from '../core/messages.ts'

/** `device`: the one thread that uses the provider. `host`: the others, which never do. */
export type Place = 'device' | 'host'

/** A function with models runs where they are; one without keeps off the device. */
export const placeOf = ({ models }: Pick<Deployment, 'models'>): Place =>
  Object.keys(models).length > 0 ? 'device' : 'host'

/** `known`: places of deployments that were loaded, by id. Undefined: it may be in either place. */
export function placeOfTask(task: PoolTask, known: ReadonlyMap<string, Place>): Place | undefined {
  const of = (deployment: Deployment | DeploymentName) =>
    'models' in deployment ? placeOf(deployment) : known.get(deployment.id)
  switch (task.type) {
    case 'prepare':
    case 'load':
    case 'invoke':
    case 'invoke-batch':
      return of(task.deployment)
    case 'unload':
      return known.get(task.deploymentId)
    case 'describe':
    case 'describe-retraining':
    case 'check-image':
      return 'host'
  }
}
