// The runtime as a process of its own, as an operator starts it: `corun serve` on a free port.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { builtEntry } from '../../runtime/core/package-root.ts'

export interface ServerProcess {
  url: string
  pid: number
  /** From the start of the process until it said that it is ready. */
  readyMs: number
  /** Its standard error so far: the log. */
  log(): string
  /** SIGTERM; resolves to the exit code. */
  stop(): Promise<number | null>
}

export interface StartOptions {
  /** No file of it may become larger: how a disk that takes no more is made, without filling one. */
  fileLimitKiB?: number
}

/** The one process that serves, unless `--supervise` is among the arguments: then its supervisor. */
export function startServer(args: string[], { fileLimitKiB }: StartOptions = {}): Promise<ServerProcess> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now()
    const how = args.includes('--supervise') ? [] : ['--no-supervise']
    const program = ['--enable-source-maps', builtEntry('main'), 'serve', ...how, ...args]
    const limited = ['-c', `ulimit -f ${fileLimitKiB}; exec "$0" "$@"`, process.execPath, ...program]
    const [command, commandArgs] =
      fileLimitKiB === undefined ? [process.execPath, program] : ['bash', limited]
    const child = spawn(command, commandArgs, { stdio: ['ignore', 'pipe', 'pipe'] })
    let log = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
    const exited = new Promise<number | null>(done => child.once('close', code => done(code)))
    void exited.then(code =>
      reject(new Error(`the server ended with exit code ${code}:\n${log.slice(-4000)}`)),
    )
    createInterface({ input: child.stdout }).on('line', line => {
      const url = /ready at (http:\S+)/.exec(line)?.[1]
      if (url === undefined || child.pid === undefined) return
      resolve({
        url,
        pid: child.pid,
        readyMs: performance.now() - startedAt,
        log: () => log,
        stop: () => {
          child.kill('SIGTERM')
          return exited
        },
      })
    })
  })
}

/** Runs another command to its end and resolves to its standard output. Throws when it exits with another code than 0. */
export function runCommand(args: string[], onProgress: (text: string) => void): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--enable-source-maps', builtEntry('main'), ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    createInterface({ input: child.stderr }).on('line', line => {
      errors += `${line}\n`
      onProgress(line)
    })
    child.once('close', code => {
      if (code === 0) resolve(output)
      else reject(new Error(`corun ${args[0]} ended with exit code ${code}:\n${errors.slice(-4000)}`))
    })
  })
}
