/** `corun bench <suite>`: benchmarks that judge their own bounds; a program of its own (scripts/bench), run from source. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { packageRoot } from '../core/package-root.ts'
import { requireCheckout } from './checkout.ts'
import { command } from './command.ts'

export default command({
  name: 'bench',
  description: 'Measure one suite, print a table, and fail when a figure misses its bound',
  args: {
    suite: { type: 'positional', description: 'Name of the suite', required: true },
    quick: { type: 'boolean', description: 'A short version, whose figures no bound judges' },
  },
  async run({ args, json }) {
    requireCheckout('bench', ['tsx'])
    const flags = [...(json ? ['--json'] : []), ...(args.quick === true ? ['--quick'] : [])]
    // Benchmarks compare with what only a checkout has: fixtures, PyTorch, other versions of a formula.
    const program = [
      '--import',
      import.meta.resolve('tsx'),
      join(packageRoot, 'scripts', 'bench', 'bench.ts'),
    ]
    const child = spawn(process.execPath, [...program, String(args.suite), ...flags], {
      stdio: 'inherit',
    })
    const [code] = await once(child, 'exit')
    return code ?? 1
  },
})
