import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'

const test = suite('import directions')

const runtime = fileURLToPath(new URL('../runtime/', import.meta.url))

/** A room may import itself and the rooms after it. */
const order = [
  'main',
  'cli',
  'http',
  'invocations',
  'dispatch',
  'schedule',
  'retraining',
  'canary',
  'profiling',
  'registry',
  'pool',
  'worker',
  'yielding',
  'training',
  'models',
  'drift',
  'samples',
  'keys',
  'autodiff',
  'images',
  'device',
  'observe',
  'state',
  'importing',
  'onnx',
  'core',
]
/** Run apart from the rest: nothing imports them, they are reached by URL. */
const entries = ['main.ts', 'index.ts', 'worker/worker.ts', 'training/trainer.ts', 'profiling/probe.ts']

interface SourceFile {
  path: string
  room: string
  imports: string[]
}

function sourceFiles(): SourceFile[] {
  const paths = readdirSync(runtime, { recursive: true, encoding: 'utf8' }).filter(path =>
    path.endsWith('.ts'),
  )
  return paths.map(path => {
    const text = readFileSync(join(runtime, path), 'utf8')
    const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(match => match[1] ?? '')
    return {
      path,
      room: path.includes('/') ? (path.split('/')[0] ?? '') : path.replace(/\.ts$/, ''),
      imports: specifiers.map(specifier => relative(runtime, resolve(runtime, dirname(path), specifier))),
    }
  })
}

const files = sourceFiles()
const roomOf = new Map(files.map(file => [file.path, file.room]))

test('every room is known, so a new one is placed on purpose', () => {
  const unknown = new Set(
    files.map(file => file.room).filter(room => room !== 'index' && !order.includes(room)),
  )
  assert.equal([...unknown], [])
})

test('rooms import only downward', () => {
  const wrong: string[] = []
  for (const { path, room, imports } of files) {
    for (const target of imports) {
      const targetRoom = roomOf.get(target)
      if (targetRoom === undefined) {
        wrong.push(`${path} -> ${target} (outside runtime/)`)
      } else if (room === 'index' ? targetRoom !== 'core' : order.indexOf(targetRoom) < order.indexOf(room)) {
        wrong.push(`${path} -> ${target}`)
      }
    }
  }
  assert.equal(wrong, [])
})

test('what runs in a pool thread imports nothing of the main side, nor the main side anything of it', () => {
  const wrong = files.flatMap(({ path, room, imports }) =>
    imports
      .filter(
        target =>
          (roomOf.get(target) === 'worker') !== (room === 'worker') && roomOf.get(target) === 'worker',
      )
      .map(target => `${path} -> ${target}`),
  )
  assert.equal(wrong, [])
})

test('entries are imported by nobody', () => {
  const wrong = files.flatMap(({ path, imports }) =>
    imports.filter(target => entries.includes(target)).map(target => `${path} -> ${target}`),
  )
  assert.equal(wrong, [])
})

test('files do not import each other in a circle', () => {
  const done = new Set<string>()
  const imports = new Map(files.map(file => [file.path, file.imports]))
  function visit(path: string, trail: string[]): void {
    if (done.has(path)) return
    assert.not(trail.includes(path), `circle: ${[...trail, path].join(' -> ')}`)
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const { path } of files) visit(path, [])
})

test.run()
