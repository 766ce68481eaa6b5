/** `corun logs <name>`: the lines of a function from the files of the server, running or not. */
import { CorunError } from '../core/errors.ts'
import { logFile } from '../observe/log.ts'
import { formatLine, type LogLine, parseLine } from '../observe/log-line.ts'
import { readLog } from '../observe/read-log.ts'
import { discoverFunctions } from '../registry/discover.ts'
import { command } from './command.ts'

export default command({
  name: 'logs',
  description: "Show a function's lines of the log: its requests, and what it wrote",
  args: {
    function: { type: 'positional', description: 'The function', required: true },
    follow: { type: 'boolean', description: 'Wait for more until interrupted' },
    request: { type: 'string', description: 'Only the lines of this request', valueHint: 'id' },
    lines: { type: 'string', description: 'Begin with the last N (default 200)', valueHint: 'N' },
  },
  async run({ config, json, args }) {
    const most = Number(args.lines ?? 200)
    if (!Number.isInteger(most) || most < 0) {
      throw new CorunError('invalid-config', `--lines is "${args.lines}"; expected a whole number`)
    }
    const wanted = (line: LogLine) =>
      line.function === args.function && (args.request === undefined || line.requestId === args.request)
    const print = (text: string) => process.stdout.write(`${text}\n`)
    const { sources } = await discoverFunctions(config.functions).catch(() => ({ sources: [] }))
    // One that has been removed has left lines.
    let known = sources.some(({ name }) => name === args.function)
    // Undefined once those that were there have been shown.
    let last: string[] | undefined = []
    const interrupted = new AbortController()
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
    const lines = readLog(logFile(config.data), {
      follow: args.follow === true,
      signal: interrupted.signal,
      onPresent() {
        for (const text of most === 0 ? [] : (last ?? []).slice(-most)) print(text)
        last = undefined
        if (!known) interrupted.abort()
      },
    })
    for await (const text of lines) {
      const line = parseLine(text)
      known ||= line?.function === args.function
      if (line === undefined || !wanted(line)) continue
      const shown = json ? text : formatLine(line)
      if (last === undefined) print(shown)
      else if (last.push(shown) > 2 * most) last.splice(0, last.length - most)
    }
    if (!known) {
      throw new CorunError(
        'unknown-function',
        `there is no function "${args.function}" in ${config.functions}, and no line of the log is of one`,
      )
    }
    return 0
  },
})
