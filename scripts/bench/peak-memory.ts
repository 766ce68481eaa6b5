// The peak resident memory of training steps: of a process of its own that makes a few and nothing else. Run as a
// program, it is that process.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { peakResidentBytes } from '../../runtime/device/memory.ts'
import { networkSubject, stepOf } from './training-subject.ts'

const steps = 3

export async function peakBytesOfSteps(
  name: string,
  size: number,
  batch: number,
  threads: number,
): Promise<number> {
  const args = ['--import', 'tsx', fileURLToPath(import.meta.url), name, size, batch, threads].map(String)
  const env = { ...process.env, MALLOC_TRIM_THRESHOLD_: '0', MALLOC_ARENA_MAX: '1' }
  const { stdout } = await promisify(execFile)(process.execPath, args, { env })
  return Number(stdout)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [name = '', ...numbers] = process.argv.slice(2)
  const [size = 0, batchSize = 0, threads = 0] = numbers.map(Number)
  const step = await stepOf(networkSubject(name, size, { batchSize, threads }), 'all')
  for (let made = 0; made < steps; made += 1) await step.run()
  process.stdout.write(String(peakResidentBytes()))
  await step.close()
}
