/** From a source file to a module that stands alone: one esbuild bundle under the name of its content. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type BuildFailure, build, type Plugin } from 'esbuild'
import { CorunError } from '../core/errors.ts'
import { packageRoot } from '../core/package-root.ts'
import { makeFolder, writeDurably } from '../state/durable-file.ts'

export interface Bundle {
  /** Absolute path. */
  file: string
  /** SHA-256 of the content, hexadecimal. */
  hash: string
}

/** CommonJS packages inside the bundle may ask for Node's own modules by `require`. */
const banner = `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);`

/** Packages with native parts cannot be bundled: they are imported from where they are installed. */
const nativePackages = /^(sharp|onnxruntime-node)$/

const resolution: Plugin = {
  name: 'corun',
  setup(bundler) {
    // Built, it is plain data and small functions; from source, it is the same before the first build.
    const built = join(packageRoot, 'dist', 'index.js')
    const own = existsSync(built) ? built : join(packageRoot, 'runtime', 'index.ts')
    bundler.onResolve({ filter: /^corun$/ }, () => ({ path: own }))
    bundler.onResolve({ filter: nativePackages }, ({ path, resolveDir }) => ({
      path: pathToFileURL(resolveFrom(path, resolveDir)).href,
      external: true,
    }))
  },
}

/** The operator's own installation of a package, else the one that Corun brings. */
function resolveFrom(name: string, folder: string): string {
  try {
    return createRequire(join(folder, 'resolve.js')).resolve(name)
  } catch {
    return createRequire(join(packageRoot, 'resolve.js')).resolve(name)
  }
}

/** Builds `file` into `folder`. Throws `build-failed` with every error as `file:line:column: text`. */
export async function buildModule(file: string, folder: string, stem: string): Promise<Bundle> {
  const result = await build({
    entryPoints: [file],
    // Paths inside the bundle start here: the same sources give the same hash wherever the server is started from.
    absWorkingDir: dirname(file),
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    sourcemap: 'inline',
    banner: { js: banner },
    // Functions may use zod and corun wherever their folder lies; their own node_modules come first.
    nodePaths: [join(packageRoot, 'node_modules')],
    plugins: [resolution],
    logLevel: 'silent',
  }).catch((failure: BuildFailure) => {
    throw new CorunError('build-failed', messageOf(failure), { cause: failure })
  })
  const content = result.outputFiles[0]?.contents ?? new Uint8Array()
  const hash = createHash('sha256').update(content).digest('hex')
  const target = join(folder, `${stem}-${hash.slice(0, 16)}.mjs`)
  await makeFolder(folder)
  if (!existsSync(target)) await writeDurably(target, content)
  return { file: target, hash }
}

function messageOf(failure: BuildFailure): string {
  const errors = failure.errors ?? []
  if (errors.length === 0) return failure.message
  return errors
    .map(({ location, text }) =>
      location ? `${location.file}:${location.line}:${location.column}: ${text}` : text,
    )
    .join('\n')
}
