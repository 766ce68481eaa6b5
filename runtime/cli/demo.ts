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
    subject: {
      type: 'positional',
      description: 'scene, photographs (the default), or text, lines of text',
      required: false,
    },
    drift: {
      type: 'string',
      description: 'What happens to the camera (default out-of-focus, and low-light for text)',
      valueHint: 'name',
    },
    json: { type: 'string', description: 'File for the table as JSON', valueHint: 'file' },
  },
  async run({ args }) {
    requireCheckout('demo', ['opentype.js', 'parse-exr'])
    const options = ['drift', 'json'].flatMap(name => (args[name] ? [`--${name}`, String(args[name])] : []))
    const subject = args.subject === undefined ? [] : [String(args.subject)]
    const program = ['--enable-source-maps', builtEntry('demo'), ...subject, ...options]
    const child = spawn(process.execPath, program, { stdio: 'inherit' })
    const [code] = await once(child, 'exit')
    return code ?? 1
  },
})
