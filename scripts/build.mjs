// Builds dist/: the command, the public API, the dashboard's page, and the entries that run in threads and child
// processes of their own, which must be plain JavaScript. Packages stay imports; ~100 ms, so every npm script runs it first.
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const entries = {
  main: 'runtime/main.ts',
  index: 'runtime/index.ts',
  worker: 'runtime/worker/worker.ts',
  trainer: 'runtime/training/trainer.ts',
  probe: 'runtime/profiling/probe.ts',
  demo: 'scripts/demo/demo.ts',
  'bare-loop': 'scripts/bench/corun/bare-loop.ts',
}

const result = await build({
  absWorkingDir: root,
  entryPoints: Object.fromEntries(Object.entries(entries).filter(([, file]) => existsSync(root + file))),
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  sourcemap: 'linked',
  chunkNames: 'chunk-[hash]',
  logLevel: 'warning',
  write: false,
})

const dashboard = await build({
  absWorkingDir: root,
  entryPoints: ['runtime/http/dashboard/main.tsx', 'runtime/http/dashboard/page.html'],
  outdir: 'dist/dashboard',
  bundle: true,
  minify: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'hono/jsx/dom',
  loader: { '.html': 'copy' },
  logLevel: 'warning',
  write: false,
})
const thread = await build({
  absWorkingDir: root,
  entryPoints: ['runtime/worker/thread.cts'],
  outfile: 'dist/thread.cjs',
  platform: 'node',
  target: 'node20.19',
  logLevel: 'warning',
  write: false,
})
const files = [...result.outputFiles, ...dashboard.outputFiles, ...thread.outputFiles]

// Only what changed is written, each file in one rename: a server or a test that runs meanwhile never meets a
// missing or half-written file.
for (const { path, contents } of files) {
  await mkdir(dirname(path), { recursive: true })
  const present = await readFile(path).catch(() => undefined)
  if (present?.equals(contents)) continue
  await writeFile(`${path}.${process.pid}`, contents)
  await rename(`${path}.${process.pid}`, path)
}
const wanted = new Set(files.map(({ path }) => relative(`${root}dist`, path)))
for (const entry of await readdir(`${root}dist`, { recursive: true, withFileTypes: true })) {
  const path = join(entry.parentPath, entry.name)
  // Declarations are build-types.mjs's.
  if (/^\.?types/.test(relative(`${root}dist`, path))) continue
  if (entry.isFile() && !wanted.has(relative(`${root}dist`, path))) await rm(path, { force: true })
}
if (existsSync(`${root}dist/main.js`)) await chmod(`${root}dist/main.js`, 0o755)
