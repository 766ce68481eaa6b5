// Writes dist/types: declarations of the public API, for authors whose compiler shall not read this package's source.
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const made = await mkdtemp(join(root, 'dist', '.types-'))
const options = ['--ignoreConfig', '--declaration', '--emitDeclarationOnly', '--skipLibCheck', '--strict']
const target = [
  '--target',
  'es2023',
  '--module',
  'nodenext',
  '--allowImportingTsExtensions',
  '--types',
  'node',
]
const folders = ['--rootDir', join(root, 'runtime'), '--outDir', made]
await promisify(execFile)(
  process.execPath,
  [
    join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
    ...[...options, ...target, ...folders],
    join(root, 'runtime', 'index.ts'),
  ],
  { cwd: root },
)
for (const name of await readdir(made, { recursive: true })) {
  if (!name.endsWith('.d.ts')) continue
  const text = await readFile(join(made, name), 'utf8')
  // Declarations name each other as the JavaScript that they stand for.
  const references = name === 'index.d.ts' ? '/// <reference types="node" />\n' : ''
  await writeFile(join(made, name), references + text.replaceAll(/(from '\.{1,2}\/[^']+)\.ts'/g, "$1.js'"))
}
await rm(join(root, 'dist', 'types'), { recursive: true, force: true })
await rename(made, join(root, 'dist', 'types'))
