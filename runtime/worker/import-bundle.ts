/** Imports a built module: its path holds its hash, so a module that is in memory is the one that is meant. */
import { pathToFileURL } from 'node:url'
import { CorunError } from '../core/errors.ts'
import { placeOf } from './source-place.ts'

/** The default export. What the module throws while it loads is an invalid definition, told with its message. */
export async function importBundle(name: string, bundle: string): Promise<unknown> {
  try {
    const module: { default?: unknown } = await import(pathToFileURL(bundle).href)
    return module.default
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new CorunError('invalid-definition', `function "${name}" throws while it is loaded: ${message}`, {
      cause: error,
      details: { ...placeOf(error, bundle) },
    })
  }
}
