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
      refuseUnknown(spec.name, rawArgs, args, given._.length)
      const options = Object.fromEntries(configOptions.map(({ key, flag }) => [key, given[flag]]))
      return spec.run({ config: readConfig(options, process.env), json: given.json === true, args: given })
    },
  })
}

/** The parser passes unknown flags through; a typing error must not silently mean the default. */
function refuseUnknown(name: string, rawArgs: readonly string[], known: ArgsDef, positionals: number): void {
  for (const arg of rawArgs) {
    const flag = /^--?(?:no-)?([^=]+)/.exec(arg)?.[1]
    if (arg === '--' || flag === undefined || flag in known) continue
    throw new CorunError('invalid-config', `corun ${name} has no option "${arg}"`)
  }
  const expected = Object.values(known).filter(arg => arg.type === 'positional').length
  if (positionals > expected) {
    throw new CorunError(
      'invalid-config',
      `corun ${name} takes ${expected} arguments, ${positionals} were given`,
    )
  }
}
