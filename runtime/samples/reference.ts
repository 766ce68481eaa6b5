/** Pictures that a function brings with it, one folder a label: what its model must not forget. */
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { CorunError } from '../core/errors.ts'
import { expectedLabel, targetsOf } from '../core/labels.ts'
import type { Loss } from '../core/retraining-definition.ts'
import type { LabelledFile } from '../core/trainer-messages.ts'
import { isHeldOut } from './split.ts'

const pictureExtensions = new Set(['.jpg', '.jpeg', '.png', '.webp'])
/** By its name. */
export const isPictureFile = (name: string) => pictureExtensions.has(extname(name).toLowerCase())

export interface Reference {
  /** May be mixed into training. */
  training: LabelledFile[]
  /** A third of the pictures, by their content. */
  heldOut: LabelledFile[]
}

/** Reads `folder`. Throws `invalid-definition` when it is missing or holds a folder that is no label of the model. */
export async function readReference(
  folder: string,
  loss: Loss,
  labels: readonly string[],
): Promise<Reference> {
  const reference: Reference = { training: [], heldOut: [] }
  for (const name of await labelFolders(folder, loss, labels)) {
    for (const picture of (await readdir(join(folder, name))).sort()) {
      if (!isPictureFile(picture)) continue
      const file = join(folder, name, picture)
      const content = createHash('sha256')
        .update(await readFile(file))
        .digest('hex')
      reference[isHeldOut(content, 1 / 3) ? 'heldOut' : 'training'].push({ file, label: name })
    }
  }
  return reference
}

async function labelFolders(folder: string, loss: Loss, labels: readonly string[]): Promise<string[]> {
  const invalid = (reason: string) =>
    new CorunError('invalid-definition', `reference folder ${folder} ${reason}`)
  const entries = await readdir(folder, { withFileTypes: true }).catch(error => {
    throw invalid(`cannot be read: ${error.message}`)
  })
  const names = entries
    .filter(entry => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
  const stranger = names.find(name => targetsOf(name, loss, labels) === undefined)
  if (stranger !== undefined) {
    throw invalid(`holds "${stranger}", which is no label; expected ${expectedLabel(loss, labels)}`)
  }
  return names.sort((a, b) => labels.indexOf(a) - labels.indexOf(b) || (a < b ? -1 : 1))
}
