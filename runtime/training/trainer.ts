/**
 * The trainer process: reads the job that its argument names, trains, writes the candidate, and ends by itself.
 * It is the first to go when memory runs out, and it never exits inside a run of the engine, which would abort it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { pathToFileURL } from 'node:url'
import { type CheckedRetraining, checkRetraining } from '../core/definition-schema.ts'
import { CorunError, serializeError } from '../core/errors.ts'
import { type TrainerJob, trainerJobSchema } from '../core/trainer-messages.ts'
import { openChannel } from './channel.ts'
import { createControl } from './control.ts'
import { train } from './train.ts'

async function readJob(file: string | undefined): Promise<TrainerJob> {
  if (file === undefined) throw new CorunError('trainer-failed', 'no job: expected the path of its JSON file')
  return trainerJobSchema.parse(JSON.parse(await readFile(file, 'utf8')))
}

async function readRecipe({ function: name, bundle }: TrainerJob): Promise<CheckedRetraining> {
  const module: { default?: unknown } = await import(pathToFileURL(bundle).href)
  return checkRetraining(name, module.default)
}

// Linux only; elsewhere there is no such file, and no such killer.
await writeFile('/proc/self/oom_score_adj', '1000').catch(() => undefined)
const control = createControl()
const channel = openChannel(control.command)
try {
  const job = await readJob(process.argv[2])
  const recipe = await readRecipe(job)
  if (job.asks) control.askBefore(() => void channel.say({ type: 'ask' }))
  await channel.say(await train(job, recipe, { say: channel.say, control }))
} catch (error) {
  console.error(error)
  await channel.say({ type: 'failed', error: serializeError(error, 'trainer-failed') })
  process.exitCode = 1
}
channel.close()
