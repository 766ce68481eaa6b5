// Builds dist/: the command, the public API, and the entries that run in threads and child processes of their
// own, which must be plain JavaScript. Packages stay imports; ~100 ms, so every npm script runs it first.
import { existsSync } from 'node:fs'
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename } from 'node:path'
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

// Only what changed is written, each file in one rename: a server or a test that runs meanwhile never meets a
// missing or half-written file.
await mkdir(`${root}dist`, { recursive: true })
for (const { path, contents } of result.outputFiles) {
  const present = await readFile(path).catch(() => undefined)
  if (present?.equals(contents)) continue
  await writeFile(`${path}.${process.pid}`, contents)
  await rename(`${path}.${process.pid}`, path)
}
const wanted = new Set(result.outputFiles.map(file => basename(file.path)))
for (const file of await readdir(`${root}dist`)) {
  if (!wanted.has(file)) await rm(`${root}dist/${file}`, { force: true })
}
if (existsSync(`${root}dist/main.js`)) await chmod(`${root}dist/main.js`, 0o755)
