// Every test, in two processes: what only computes runs at the lowest priority beside what waits, for servers, threads and
// clocks, most of the time. `npm test -- <pattern>` runs the files that match, in one. A test that waits for what never
// comes is ended, so that the others are told of.
import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

const root = fileURLToPath(new URL('..', import.meta.url))
const computing = '(autodiff|training|onnx|importing)/'
const all = '\\.test\\.ts$'

/** Each test prints something when it ends; none takes nearly that long. */
const silenceMs = 5 * 60_000

/** What a run printed of tests that failed: from each test's FAIL to the next file's name or the counts. */
function failures(output) {
  const told = []
  let failing = false
  for (const line of output.split('\n')) {
    const plain = stripVTControlCharacters(line).trim()
    if (plain.startsWith('FAIL ') || plain.startsWith('FAIL:')) failing = true
    else if (/^[\w/.-]+\.test\.ts$/.test(plain) || plain.startsWith('Total:')) failing = false
    if (failing) told.push(line)
  }
  return told.join('\n').trimEnd()
}

/** Resolves to whether all passed, and what to read where they did not. `show` gets what is printed. */
function run(pattern, show, { lowest = false } = {}) {
  const args = ['--import', 'tsx', 'node_modules/uvu/bin.js', 'test', pattern]
  const child = spawn(process.execPath, args, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  if (lowest) setPriority(child.pid, 19)
  let output = ''
  const hung = setTimeout(() => {
    show(`\nthe last test has told nothing for ${silenceMs / 60_000} minutes\n`)
    // With what it has started, which may hold the pipes open.
    process.kill(-child.pid, 'SIGKILL')
  }, silenceMs)
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', text => {
      hung.refresh()
      output += text
      show(text)
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(hung)
      // A test that nothing keeps alive ends its process, and all tests after it, without a word.
      const whole = /^ *Total:/m.test(output)
      const last = output.trimEnd().split('\n').slice(-2).join(' ')
      const early = `\nFAIL: the tests of ${pattern} ended early (${signal ?? `exit code ${code}`}), after ${last}\n`
      if (!whole) show(early)
      resolve({ passed: code === 0 && whole, failures: failures(whole ? output : output + early) })
    })
  })
}

const print = text => process.stdout.write(text)
const [pattern] = process.argv.slice(2)
const runs = []
if (pattern !== undefined) {
  runs.push(await run(pattern, print))
} else {
  // Two reports at once cannot be read: the second is shown when both are done.
  const later = []
  const beside = run(`^${computing}.*${all}`, text => later.push(text), { lowest: true })
  runs.push(await run(`^(?!${computing}).*${all}`, print))
  runs.push(await beside)
  print(later.join(''))
}
if (runs.some(({ passed }) => !passed)) {
  // Where a reader looks first, and what is kept of a long log, is its end.
  print(`\nWhat failed:\n${runs.map(({ failures }) => failures).join('\n')}\n`)
  process.exitCode = 1
}
