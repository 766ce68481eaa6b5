// A function that can be retrained, built and described as the registry does it, with no server and no pool around.
import { join } from 'node:path'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { buildModule } from '../../runtime/registry/build.ts'
import { resolveModels } from '../../runtime/registry/resolve-models.ts'
import type { TrainableFunction } from '../../runtime/retraining/prepare-job.ts'
import { describeFunction, describeRetraining } from '../../runtime/worker/describe.ts'

/** Builds `functions/<name>` into `buildFolder`. Its models are the versions that ship. */
export async function openTarget(name: string, buildFolder: string): Promise<TrainableFunction> {
  const folder = join(packageRoot, 'functions', name)
  const built = await buildModule(join(folder, 'function.ts'), buildFolder, 'function')
  const retraining = await buildModule(join(folder, 'retrain.ts'), buildFolder, 'retrain')
  const description = await describeFunction(name, built.file)
  const source = {
    async adopt(_: string, file: string | Uint8Array, labels: string[]) {
      if (typeof file !== 'string') throw new TypeError(`the model of ${name} is in several files`)
      return { sha256: '', file, labels }
    },
  }
  return {
    name,
    deployment: {
      id: built.hash.slice(0, 16),
      function: name,
      bundle: built.file,
      bundleHash: built.hash,
      description,
      models: await resolveModels(name, folder, description.models, source, { imports: buildFolder }),
    },
    retraining: {
      function: name,
      bundle: retraining.file,
      folder,
      description: await describeRetraining(name, retraining.file),
    },
  }
}
