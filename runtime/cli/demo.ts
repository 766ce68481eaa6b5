/** `corun demo`: the whole loop on real pictures; a program of its own (scripts/demo), run as one. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { builtEntry } from '../core/package-root.ts'
import { requireCheckout } from './checkout.ts'
import { command } from './command.ts'

export default command({
  name: 'demo',
  description: 'Show the whole loop: serve, profile, drift, retrain beside serving, promote',
  args: {
    drift: {
      type: 'string',
      description: 'What happens to the camera (default low-light)',
      valueHint: 'name',
    },
    json: { type: 'string', description: 'File for the table as JSON', valueHint: 'file' },
  },
  async run({ args }) {
    requireCheckout('demo', ['opentype.js'])
    const options = ['drift', 'json'].flatMap(name => (args[name] ? [`--${name}`, String(args[name])] : []))
    const child = spawn(process.execPath, ['--enable-source-maps', builtEntry('demo'), ...options], {
      stdio: 'inherit',
    })
    const [code] = await once(child, 'exit')
    return code ?? 1
  },
})
