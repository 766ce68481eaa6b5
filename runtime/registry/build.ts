/** From a source file to a module that stands alone: one esbuild bundle under the name of its content. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type BuildFailure, build, type OutputFile } from 'esbuild'
import { CorunError } from '../core/errors.ts'
import { ownPackageFolders } from '../core/package-root.ts'
import { makeFolder, writeDurably } from '../state/durable-file.ts'
import { ownPlace, packageResolution } from './resolve-packages.ts'

export interface Bundle {
  /** Absolute path. */
  file: string
  /** SHA-256 of the code and of the lines that it came from, hexadecimal. */
  hash: string
  /** Absolute paths of everything that is in it. */
  inputs: string[]
}

/** CommonJS packages inside the bundle may ask for Node's own modules by `require`. */
const banner = `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);`

/** Builds `file` into `folder`. Throws `build-failed` with every error as `file:line:column: text`, and the first's place. */
export async function buildModule(file: string, folder: string, stem: string): Promise<Bundle> {
  const home = dirname(file)
  const { outputFiles, metafile } = await build({
    entryPoints: [file],
    // Paths inside the bundle start here: the same sources give the same hash wherever the server is started from.
    absWorkingDir: home,
    outfile: join(home, 'bundle.mjs'),
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    sourcemap: 'external',
    sourcesContent: false,
    banner: { js: banner },
    define: ownPlace,
    loader: { '.wasm': 'binary', '.txt': 'text' },
    // Functions may use zod and corun wherever their folder lies; their own node_modules come first.
    nodePaths: [...ownPackageFolders],
    plugins: [packageResolution(home)],
    logLevel: 'silent',
  }).catch((failure: BuildFailure) => {
    throw buildError(failure, home)
  })
  const [map, code] = ['.map', '.mjs'].map(end => outputFiles.find(({ path }) => path.endsWith(end)))
  if (map === undefined || code === undefined) throw new Error(`esbuild made no bundle of ${file}`)
  const hash = createHash('sha256').update(code.contents).update(map.contents).digest('hex')
  const target = join(folder, `${stem}-${hash.slice(0, 16)}.mjs`)
  await makeFolder(folder)
  if (!existsSync(target)) await writeDurably(target, `${code.text}${inlineMap(map, home)}`)
  const inputs = Object.keys(metafile.inputs).map(path => resolve(home, path))
  return { file: target, hash, inputs }
}

/** With whole paths, so that a stack trace names the author's file. */
function inlineMap(map: OutputFile, home: string): string {
  // esbuild's own output, whose form is the source map's.
  const content = JSON.parse(map.text) as { sources: string[] }
  content.sources = content.sources.map(path => pathToFileURL(resolve(home, path)).href)
  const text = Buffer.from(JSON.stringify(content)).toString('base64')
  return `//# sourceMappingURL=data:application/json;base64,${text}\n`
}

function buildError(failure: BuildFailure, home: string): CorunError {
  const errors = failure.errors ?? []
  const place = errors[0]?.location
  const details = place && { file: resolve(home, place.file), line: place.line, column: place.column }
  const lines = errors.map(({ location, text }) =>
    location ? `${location.file}:${location.line}:${location.column}: ${text}` : text,
  )
  return new CorunError('build-failed', lines.join('\n') || failure.message, {
    cause: failure,
    ...(details ? { details } : {}),
  })
}
