/** What every command has in common: the configuration options, `--json`, and strictness about unknown flags. */
import { type ArgsDef, type CommandDef, defineCommand } from 'citty'
import { type Config, configOptions, readConfig } from '../core/config.ts'
import { CorunError } from '../core/errors.ts'

const configArgs: ArgsDef = Object.fromEntries(
  configOptions.map(({ flag, env, default: defaultText, description }) => [
    flag,
    { type: 'string', description: `${description} (${env}; default ${defaultText})`, valueHint: flag },
  ]),
)
const jsonArg: ArgsDef = {
  json: { type: 'boolean', description: 'Print one JSON object on standard output' },
}

export type ArgValues = Record<string, string | boolean | string[] | number | undefined>

export interface CommandInput {
  config: Config
  /** Whether `--json` was given. */
  json: boolean
  args: ArgValues
}

/** A command resolves to its exit code: 0 done, 1 failed. Errors that it throws are printed and exit with 1. */
export interface CommandSpec {
  name: string
  description: string
  args?: ArgsDef
  run(input: CommandInput): Promise<number>
}

export function command(spec: CommandSpec): CommandDef {
  const args = { ...configArgs, ...jsonArg, ...spec.args }
  return defineCommand({
    meta: { name: spec.name, description: spec.description },
    args,
    run: ({ args: given, rawArgs }) => {
      refuseUnknown(spec, rawArgs, args, given._.length)
      const options = Object.fromEntries(configOptions.map(({ key, flag }) => [key, given[flag]]))
      return spec.run({ config: readConfig(options, process.env), json: given.json === true, args: given })
    },
  })
}

/** The parser passes unknown flags through, and takes what has no value for empty; a typing error must not silently mean the default. */
function refuseUnknown(
  { name, args: own = {} }: CommandSpec,
  rawArgs: readonly string[],
  known: ArgsDef,
  positionals: number,
): void {
  const seen = new Set<string>()
  for (const [at, arg] of rawArgs.entries()) {
    const [, flag, value] = /^--?(?:no-)?([^=]+)(?:=(.*))?/s.exec(arg) ?? []
    if (arg === '--' || flag === undefined) continue
    if (!(flag in known)) throw new CorunError('invalid-config', `corun ${name} has no option "${arg}"`)
    // Of the configuration the last one counts: a script's own may be overridden.
    if (seen.has(flag) && flag in own) throw new CorunError('invalid-config', `--${flag} is given twice`)
    seen.add(flag)
    const next = rawArgs[at + 1]
    const given = value ?? (next?.startsWith('--') ? undefined : next)
    if (known[flag]?.type === 'string' && !given) {
      throw new CorunError('invalid-config', `--${flag} needs a value`)
    }
  }
  const expected = Object.values(known).filter(arg => arg.type === 'positional').length
  if (positionals > expected) {
    throw new CorunError(
      'invalid-config',
      `corun ${name} takes ${expected} arguments, ${positionals} were given`,
    )
  }
}
