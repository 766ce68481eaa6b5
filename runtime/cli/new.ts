/** `corun new <name>`: writes a function to begin with, and says what to try first. */
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { CorunError } from '../core/errors.ts'
import { functionNamePattern } from '../registry/discover.ts'
import { command } from './command.ts'
import { firstSteps, functionFiles, functionKinds } from './function-templates.ts'

export default command({
  name: 'new',
  description: 'Write a new function into the functions folder',
  args: {
    name: { type: 'positional', description: 'Name of the function: its folder and its URL', required: true },
    kind: {
      type: 'string',
      description: `${functionKinds.join(', ')} (default json)`,
      valueHint: 'kind',
    },
  },
  async run({ config, args, json }) {
    const name = String(args.name)
    const kind = functionKinds.find(known => known === (args.kind ?? 'json'))
    if (kind === undefined) {
      throw new CorunError('invalid-config', `--kind is "${args.kind}"; expected ${functionKinds.join(', ')}`)
    }
    if (!functionNamePattern.test(name)) {
      throw new CorunError(
        'invalid-config',
        `"${name}" is no name of a function; expected small letters, digits and dashes, a letter first, at most 63`,
      )
    }
    const twin = await existing(config.functions, name)
    if (twin !== undefined) {
      throw new CorunError(
        'invalid-config',
        `${twin} is there already; choose another name, or remove it first`,
      )
    }
    const folder = join(config.functions, name)
    await mkdir(folder, { recursive: true })
    const written: string[] = []
    // The module comes last: a server that watches the folder finds the function whole.
    for (const [file, content] of Object.entries(functionFiles(kind)).reverse()) {
      await writeFile(join(folder, file), content, { flag: 'wx' })
      written.unshift(join(folder, file))
    }
    const next = firstSteps(name, kind)
    if (json) process.stdout.write(`${JSON.stringify({ name, kind, files: written, next })}\n`)
    else {
      const serve = 'A running server has it already; else start one: npx corun serve'
      process.stdout.write(`${written.join('\n')}\n\n${serve}\n\n${next.join('\n')}\n`)
    }
    return 0
  },
})

/** Whatever has the name already, as a folder or as a single file. */
async function existing(functionsDir: string, name: string): Promise<string | undefined> {
  const entries = await readdir(functionsDir).catch(() => [])
  const twin = entries.find(
    entry => entry === name || (/^\.(?:ts|js|mjs)$/.test(entry.slice(name.length)) && entry.startsWith(name)),
  )
  return twin === undefined ? undefined : join(functionsDir, twin)
}
