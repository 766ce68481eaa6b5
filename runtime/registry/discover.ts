/** What lies in the functions folder: sources by name, and what is there under a name that is none. */
import type { Dirent } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { CorunError } from '../core/errors.ts'

export interface FunctionSource {
  name: string
  /** Absolute path of `function.ts` (or .js, .mjs), or of the single file. */
  file: string
  /** What relative paths of the definition refer to. */
  folder: string
  /** Absolute path of `retrain.ts`, where there is one. */
  retraining?: string
}

export interface Discovery {
  sources: FunctionSource[]
  /** Entries that look like functions but cannot be any, with the reason. */
  problems: { entry: string; error: CorunError }[]
}

export const functionNamePattern = /^[a-z][a-z0-9-]{0,62}$/
const extensions = ['.ts', '.js', '.mjs']

/** Reads the folder. Names that begin with `_` or `.` are nobody's; a folder without a function file is one too. */
export async function discoverFunctions(folder: string): Promise<Discovery> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(cause => {
    throw new CorunError('invalid-config', `functions folder ${folder} cannot be read: ${cause.message}`, {
      cause,
    })
  })
  const discovery: Discovery = { sources: [], problems: [] }
  for (const entry of entries.sort((a, b) => a.name.localeCompare(b.name))) {
    if (/^[._]/.test(entry.name) || entry.name === 'node_modules') continue
    let source: FunctionSource | undefined
    try {
      source = (await isFolder(entry, folder))
        ? await folderSource(join(folder, entry.name))
        : fileSource(folder, entry.name)
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      // It has gone since it was listed.
      if (code === 'ENOENT') continue
      const error = new CorunError(
        'invalid-definition',
        `folder "${entry.name}" cannot be read: ${message}`,
        {
          cause,
        },
      )
      discovery.problems.push({ entry: entry.name, error })
    }
    if (source === undefined) continue
    const problem = problemOf(source, discovery.sources)
    if (problem === undefined) discovery.sources.push(source)
    else discovery.problems.push({ entry: entry.name, error: new CorunError('invalid-definition', problem) })
  }
  return discovery
}

/** A link counts as what it points to; one that points nowhere is a file that cannot be read. */
async function isFolder(entry: Dirent, folder: string): Promise<boolean> {
  if (!entry.isSymbolicLink()) return entry.isDirectory()
  return stat(join(folder, entry.name)).then(
    target => target.isDirectory(),
    () => false,
  )
}

function problemOf({ name }: FunctionSource, known: readonly FunctionSource[]): string | undefined {
  if (!functionNamePattern.test(name)) {
    return `"${name}" is no name of a function; expected small letters, digits and dashes, a letter first, at most 63`
  }
  const twin = known.find(source => source.name === name)
  return twin && `function "${name}" is there twice; ${twin.file} is used`
}

async function folderSource(folder: string): Promise<FunctionSource | undefined> {
  const names = new Set(await readdir(folder))
  const find = (stem: string) => {
    const name = extensions.map(extension => stem + extension).find(name => names.has(name))
    return name === undefined ? undefined : join(folder, name)
  }
  const file = find('function')
  if (file === undefined) return undefined
  const retraining = find('retrain')
  return { name: basename(folder), file, folder, ...(retraining === undefined ? {} : { retraining }) }
}

function fileSource(folder: string, name: string): FunctionSource | undefined {
  const extension = extname(name)
  if (!extensions.includes(extension) || name.endsWith('.d.ts')) return undefined
  return { name: basename(name, extension), file: join(folder, name), folder }
}
