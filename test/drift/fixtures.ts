/** Deployments with what a test cares about, and plain values for the rest. */
import type { FunctionDescription } from '../../runtime/core/definition-schema.ts'
import type { DeployedModel, Deployment } from '../../runtime/core/deployment.ts'

export const createDeploymentModel = (parts: Partial<DeployedModel> = {}): DeployedModel => ({
  id: 'scene.net',
  sha256: 'a'.repeat(64),
  file: '/nowhere.onnx',
  labels: ['a', 'b', 'c'],
  inputs: [],
  outputs: [],
  ...parts,
})

export const createDeployment = (
  model: DeployedModel = createDeploymentModel(),
  description: Partial<FunctionDescription> = {},
): Deployment => ({
  id: 'd',
  function: 'scene',
  bundle: '',
  bundleHash: '',
  models: { net: model },
  description: {
    form: 'handler',
    timeoutMs: 1000,
    input: { kind: 'bytes' },
    outputSchema: undefined,
    models: {},
    ...description,
  },
})
