/** Which packages cannot become part of a bundle, told from what their package.json says: pure. */

/** The fields that tell; anything may stand in a package.json. */
export interface PackageFacts {
  gypfile?: unknown
  binary?: unknown
  napi?: unknown
  dependencies?: Record<string, unknown>
  optionalDependencies?: Record<string, unknown>
  scripts?: Record<string, unknown>
}

/** What packages use to find or to compile their native part. */
const loaders = new Set([
  '@mapbox/node-pre-gyp',
  'bindings',
  'cmake-js',
  'nan',
  'node-addon-api',
  'node-gyp-build',
  'node-gyp-build-optional-packages',
  'node-pre-gyp',
  'pkg-prebuilds',
  'prebuild-install',
])
/** The part for one platform, as a package of its own: `@img/sharp-linux-x64`. */
const platformPart = /(?:linux|darwin|win32|android|freebsd).*(?:x64|arm64|ia32|arm)/

/** A package with a native part finds it by its own place on disk, and is imported from there. */
export function isNative(facts: PackageFacts): boolean {
  if (facts.gypfile === true || facts.binary !== undefined || facts.napi !== undefined) return true
  if (/node-gyp|prebuild/.test(String(facts.scripts?.install ?? ''))) return true
  return (
    Object.keys(facts.dependencies ?? {}).some(name => loaders.has(name)) ||
    Object.keys(facts.optionalDependencies ?? {}).some(name => platformPart.test(name))
  )
}
