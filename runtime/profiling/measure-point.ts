/** Runs one probe process from start to result: the shell around a measurement. */
import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CorunError } from '../core/errors.ts'
import { issuesText } from '../core/issues-text.ts'
import { builtEntry } from '../core/package-root.ts'
import { servingProcess } from '../device/serving-process.ts'
import { type ProbeJob, type ProbeResult, probeEventSchema } from './probe-job.ts'

/**
 * `onMeasuring` is called when the warm-up is over and the windows begin. Undefined when memory did not hold the point:
 * the system killed the probe, or an allocation failed. Throws `probe-failed`.
 */
export async function measurePoint(
  job: ProbeJob,
  onMeasuring: () => void = () => {},
): Promise<ProbeResult | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'corun-probe-'))
  try {
    const jobFile = join(folder, 'job.json')
    await writeFile(jobFile, JSON.stringify(job))
    return await runProbe(jobFile, `${job.threads} concurrent inferences, batch ${job.batch}`, onMeasuring)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function runProbe(jobFile: string, what: string, onMeasuring: () => void): Promise<ProbeResult | undefined> {
  return new Promise((resolve, reject) => {
    // As the server is started: what is measured is what it will be.
    const { env, execArgv } = servingProcess()
    const args = [...execArgv, '--enable-source-maps', builtEntry('probe'), jobFile]
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    let outcome: ProbeResult | CorunError | 'out-of-memory' | undefined
    child.on('message', message => {
      const { data: event, error } = probeEventSchema.safeParse(message)
      if (event === undefined) outcome = new CorunError('probe-failed', `${what}: ${issuesText(error)}`)
      else if (event.type === 'measuring') onMeasuring()
      else if (event.type === 'result') outcome = event.result
      else if (event.type === 'out-of-memory') outcome = 'out-of-memory'
      else outcome = new CorunError('probe-failed', `${what}: ${event.message}`)
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      if (outcome === 'out-of-memory') resolve(undefined)
      else if (outcome instanceof CorunError) reject(outcome)
      else if (outcome !== undefined) resolve(outcome)
      else if (signal === 'SIGKILL') resolve(undefined)
      else
        reject(
          new CorunError('probe-failed', `${what}: the probe ended with ${signal ?? `exit code ${code}`}`),
        )
    })
  })
}
