/** Where the installed package lives: entries of threads and child processes are found from here. */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

function findPackageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder)
    if (parent === folder)
      throw new Error('no package.json above the runtime: the installation is incomplete')
    folder = parent
  }
  return folder
}

/** The folder itself, the one above, and so on to the root. */
export function foldersUpFrom(folder: string): string[] {
  const parent = dirname(folder)
  return parent === folder ? [folder] : [folder, ...foldersUpFrom(parent)]
}

/** Absolute path of the folder that holds Corun's package.json, both from source and built. */
export const packageRoot = findPackageRoot()

/** Where Corun's own packages may be installed: in its own folder, or beside it in one of those above. */
export const ownPackageFolders: readonly string[] = foldersUpFrom(packageRoot).map(folder =>
  join(folder, 'node_modules'),
)

export const packageVersion: string = JSON.parse(
  readFileSync(join(packageRoot, 'package.json'), 'utf8'),
).version

/** Absolute path of a built entry: those of threads and child processes are plain JavaScript (scripts/build.mjs). */
export function builtEntry(
  name: 'main' | 'thread' | 'trainer' | 'probe' | 'index' | 'demo' | 'bare-loop',
): string {
  return join(packageRoot, 'dist', name === 'thread' ? 'thread.cjs' : `${name}.js`)
}

/** Absolute path of the folder with the dashboard's built page. */
export const dashboardFolder = join(packageRoot, 'dist', 'dashboard')
