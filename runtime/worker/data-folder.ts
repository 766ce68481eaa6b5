/** The folder that a function keeps data of its own in; it is made when code of the function first asks for it. */
import { mkdirSync } from 'node:fs'
import type { Deployment } from '../core/deployment.ts'

export function openDataFolder({ dataFolder, function: name }: Deployment): string {
  if (dataFolder === undefined) throw new Error(`function "${name}" has no folder for data of its own here`)
  mkdirSync(dataFolder, { recursive: true })
  return dataFolder
}
