/**
 * How a bundle gets its packages: from the operator's installation, the function's folder upward, then from Corun's
 * own. Most become part of the bundle; native ones and those that the operator names are imported from where they lie.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, extname, join, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Loader, Plugin } from 'esbuild'
import { z } from 'zod'
import { packageRoot } from '../core/package-root.ts'
import { isNative, type PackageFacts } from './native-package.ts'

/** What the plugin marks its own questions to esbuild with, so as not to answer them itself. */
const asked = { corun: 'asked' }

/** For the functions in `folder`. */
export function packageResolution(folder: string): Plugin {
  return {
    name: 'corun-packages',
    setup(bundler) {
      // Built, it is plain data and small functions; from source, it is the same before the first build.
      const built = join(packageRoot, 'dist', 'index.js')
      const own = existsSync(built) ? built : join(packageRoot, 'runtime', 'index.ts')
      const named = externalPackages(folder)
      bundler.onResolve({ filter: /^corun$/ }, () => ({ path: own }))
      bundler.onResolve({ filter: /^[^./#]/ }, async ({ path, pluginData, ...from }) => {
        if (pluginData === asked || isBuiltin(path)) return undefined
        const { kind, importer, resolveDir } = from
        if (kind === 'entry-point') return undefined
        const found = await bundler.resolve(path, { kind, importer, resolveDir, pluginData: asked })
        if (found.errors.length > 0 || found.external) return undefined
        const name = /^(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? path
        const apart = named.has(name) || isOwnZod(found.path) || isNativePackage(found.path, name)
        if (!apart) return undefined
        return { path: kind === 'require-call' ? found.path : pathToFileURL(found.path).href, external: true }
      })
      bundler.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: 'file' }, async ({ path }) => {
        const contents = await readFile(path, 'utf8')
        if (!asksWhereItIs.test(contents)) return undefined
        return { contents: placeOf(path) + contents.replace(/^#!/, '//'), loader: loaderOf(path) }
      })
    },
  }
}

/**
 * A bundle lies elsewhere than its sources: what they call their own place is put into each of them, as these names.
 * esbuild puts the names in where the source means its own place, and not a variable of its own.
 */
export const ownPlace = {
  'import.meta.url': '__corunUrl',
  'import.meta.filename': '__corunFilename',
  'import.meta.dirname': '__corunDirname',
  __filename: '__corunFilename',
  __dirname: '__corunDirname',
}
const asksWhereItIs = /import\.meta\.(?:url|filename|dirname)|\b__(?:filename|dirname)\b/

/** On one line, in front of the first, so that lines keep their numbers. */
function placeOf(path: string): string {
  const [url, file, folder] = [pathToFileURL(path).href, path, dirname(path)].map(text =>
    JSON.stringify(text),
  )
  return `var __corunUrl=${url},__corunFilename=${file},__corunDirname=${folder};`
}

function loaderOf(path: string): Loader {
  const [, kind = 'js'] = /\.[cm]?([jt]sx?)$/.exec(path) ?? []
  return kind as Loader // the pattern leaves these four: js, ts, jsx, tsx
}

/**
 * Corun's zod, of which every thread has one already, stays out of bundles: it is most of a small one. A copy that
 * another package brings, or another version, is bundled like anything else.
 */
const isOwnZod = (file: string): boolean => file.startsWith(ownZodFolder)
const ownZodFolder =
  dirname(realpathSync(createRequire(join(packageRoot, 'resolve.js')).resolve('zod/package.json'))) + sep

function isNativePackage(file: string, name: string): boolean {
  const inside = `${sep}node_modules${sep}${name.replaceAll('/', sep)}${sep}`
  const at = file.lastIndexOf(inside)
  if (at < 0) return false
  const folder = file.slice(0, at + inside.length)
  const facts = readJson(join(folder, 'package.json')) as PackageFacts | undefined // all its fields are optional
  return (
    existsSync(join(folder, 'binding.gyp')) ||
    extname(file) === '.node' ||
    (facts !== undefined && isNative(facts))
  )
}

const externalSchema = z.object({ corun: z.object({ external: z.array(z.string()) }) })

/** `"corun": { "external": [...] }` of the nearest package.json above a function that has it. */
function externalPackages(folder: string): ReadonlySet<string> {
  for (let at = folder; ; at = dirname(at)) {
    const found = externalSchema.safeParse(readJson(join(at, 'package.json')))
    if (found.success) return new Set(found.data.corun.external)
    if (dirname(at) === at) return new Set()
  }
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return undefined
  }
}
