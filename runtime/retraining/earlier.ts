/** The versions that served before and might fit the new samples: candidates that need no training. Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { TrainerJob } from '../core/trainer-messages.ts'
import type { ModelFile } from '../models/model-store.ts'
import type { ModelView } from '../models/model-view.ts'

/** Each is tried on the samples, which takes a forward pass a picture. */
const most = 4

/** The newest that are kept and have the classes that are asked for. */
export function earlierVersions(
  { versions }: Pick<ModelView, 'versions'>,
  file: (sha256: string) => ModelFile,
  labels: readonly string[],
): NonNullable<TrainerJob['earlier']> {
  return versions
    .filter(({ kept, state }) => kept && state === 'retired')
    .map(({ sha256 }) => file(sha256))
    .filter(version => isDeepStrictEqual(version.labels, labels))
    .slice(-most)
}
