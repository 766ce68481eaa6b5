import { appendFile, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { formatLine, parseLine } from '../../runtime/observe/log-line.ts'
import { readLog } from '../../runtime/observe/read-log.ts'
import { openRotatingFile, rotatedNames } from '../../runtime/observe/rotating-file.ts'
import { eventually } from '../eventually.ts'

const test = suite('observe/log')

let folder: string
let file: string
test.before.each(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  file = join(folder, 'logs', 'corun.log')
})
test.after.each(() => rm(folder, { recursive: true, force: true }))

const present = async () => {
  const lines: string[] = []
  const options = { follow: false, signal: AbortSignal.abort(), onPresent: () => {} }
  for await (const line of readLog(file, options)) lines.push(line)
  return lines
}

test('lines are kept over rotations, oldest first, and no more files than were asked for', async () => {
  const log = openRotatingFile(file, { maxBytes: 30, older: 4 })
  for (let at = 0; at < 20; at += 1) {
    log.write(`line ${String(at).padStart(2, '0')}\n`)
    log.flush()
  }
  const names = await readdir(join(folder, 'logs'))
  assert.equal(names.sort(), ['corun.1.log', 'corun.2.log', 'corun.3.log', 'corun.4.log', 'corun.log'])
  const lines = await present()
  assert.is(lines.at(-1), 'line 19')
  assert.equal(lines, [...lines].sort())
  assert.is(lines.length, 14)
})

test('a next process goes on in the same file', async () => {
  for (const line of ['one\n', 'two\n']) {
    const log = openRotatingFile(file)
    log.write(line)
    log.flush()
  }
  assert.is(await readFile(file, 'utf8'), 'one\ntwo\n')
})

test('lines that come are followed, over a rotation, and one that is half written is waited for', async () => {
  const log = openRotatingFile(file, { maxBytes: 20 })
  log.write('there already\n')
  log.flush()
  const seen: string[] = []
  const stop = new AbortController()
  let caughtUp = false
  const reading = (async () => {
    const options = {
      follow: true,
      signal: stop.signal,
      onPresent: () => {
        caughtUp = true
      },
    }
    for await (const line of readLog(file, options)) seen.push(line)
  })()
  await eventually('it has caught up', () => caughtUp)
  log.write('moves it aside\n')
  log.flush()
  await eventually('the next is read', () => seen.length === 2)
  await appendFile(file, 'ha')
  await appendFile(file, 'lf\n')
  await eventually('the half is read', () => seen.length === 3)
  stop.abort()
  await reading
  assert.equal(seen, ['there already', 'moves it aside', 'half'])
})

test('a log that is not there yet has no lines', async () => {
  assert.equal(await present(), [])
  assert.equal(rotatedNames('/a/b.log', 1), ['/a/b.1.log', '/a/b.log'])
})

test('a line is shown with its fields, and a stack below it', () => {
  const line = parseLine(
    '{"level":50,"time":"T","function":"f","requestId":"r","err":{"stack":"Error: x\\n at y"},"msg":"failed"}',
  )
  assert.is(line && formatLine(line), 'T error failed requestId=r\n    Error: x\n     at y')
  assert.is(parseLine('no json'), undefined)
})

test.run()
