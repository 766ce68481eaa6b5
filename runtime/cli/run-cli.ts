/** From arguments to a command, and from what it threw to a message and an exit code. */
import { stripVTControlCharacters } from 'node:util'
import { type CommandDef, renderUsage, runCommand } from 'citty'
import { orDiskFull } from '../core/disk-full.ts'
import { CorunError } from '../core/errors.ts'
import { packageVersion } from '../core/package-root.ts'

/** One file a command; each is only loaded when it is asked for. */
const commands: Record<string, () => Promise<CommandDef>> = {
  serve: async () => (await import('./serve.ts')).default,
  profile: async () => (await import('./profile.ts')).default,
  retrain: async () => (await import('./retrain.ts')).default,
  new: async () => (await import('./new.ts')).default,
  functions: async () => (await import('./functions.ts')).default,
  import: async () => (await import('./import.ts')).default,
  models: async () => (await import('./models.ts')).default,
  samples: async () => (await import('./samples.ts')).default,
  logs: async () => (await import('./logs.ts')).default,
  keys: async () => (await import('./keys.ts')).default,
  doctor: async () => (await import('./doctor.ts')).default,
  bench: async () => (await import('./bench.ts')).default,
  demo: async () => (await import('./demo.ts')).default,
}

const program: CommandDef = {
  meta: {
    name: 'corun',
    version: packageVersion,
    description: 'A function runtime for one edge box: serves ONNX models and retrains them beside serving',
  },
  subCommands: commands,
}

/** Resolves to the exit code: 0 done, 1 failed, 2 wrong use. */
export async function runCli(argv: readonly string[]): Promise<number> {
  const [name = '', ...rest] = argv
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${packageVersion}\n`)
    return 0
  }
  const wantsHelp = argv.some(arg => arg === '--help' || arg === '-h')
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined
  if (load === undefined) {
    const usage = await renderUsage(program)
    if (wantsHelp || name === '') {
      print(process.stdout, usage)
      return wantsHelp ? 0 : 2
    }
    print(process.stderr, `corun: there is no command "${name}"\n\n${usage}`)
    return 2
  }
  const command = await load()
  if (wantsHelp) {
    print(process.stdout, await renderUsage(command, program))
    return 0
  }
  try {
    const { result } = await runCommand(command, { rawArgs: [...rest] })
    return typeof result === 'number' ? result : 0
  } catch (error) {
    return report(error)
  }
}

/** A file or another program gets no colours. */
function print(to: NodeJS.WriteStream, text: string): void {
  to.write(`${to.isTTY ? text : stripVTControlCharacters(text)}\n`)
}

function report(thrown: unknown): number {
  const error = orDiskFull(thrown, 'what the command keeps')
  if (error instanceof CorunError) {
    process.stderr.write(`corun: ${error.code}: ${error.message}\n       ${error.hint}\n`)
    return error.code === 'invalid-config' ? 2 : 1
  }
  // A missing positional argument is the one thing that the parser itself refuses.
  if (error instanceof Error && error.name === 'CLIError') {
    process.stderr.write(
      `corun: ${error.message}\n       corun <command> --help lists arguments and options.\n`,
    )
    return 2
  }
  process.stderr.write(`corun: ${error instanceof Error ? error.stack : String(error)}\n`)
  return 1
}
