// Every test, in two processes: what only computes runs at the lowest priority beside what waits, for servers, threads and
// clocks, most of the time. `npm test -- <pattern>` runs the files that match, in one. A test that waits for what never
// comes is ended, so that the others are told of.
import { spawn } from 'node:child_process'
import { setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const computing = '(autodiff|training|onnx|importing)/'
const all = '\\.test\\.ts$'

/** Each test prints something when it ends; none takes nearly that long. */
const silenceMs = 5 * 60_000

/** Resolves to whether all passed. `show` gets what is printed. */
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
      if (!whole) show(`\nFAIL: the tests of ${pattern} ended early (${signal ?? `exit code ${code}`})\n`)
      resolve(code === 0 && whole)
    })
  })
}

const print = text => process.stdout.write(text)
const [pattern] = process.argv.slice(2)
if (pattern !== undefined) {
  if (!(await run(pattern, print))) process.exitCode = 1
} else {
  // Two reports at once cannot be read: the second is shown when both are done.
  const later = []
  const beside = run(`^${computing}.*${all}`, text => later.push(text), { lowest: true })
  const passed = await run(`^(?!${computing}).*${all}`, print)
  const besidePassed = await beside
  print(later.join(''))
  if (!passed || !besidePassed) process.exitCode = 1
}
