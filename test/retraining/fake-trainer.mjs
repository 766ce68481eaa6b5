// Speaks the trainer's part of the protocol without training: what it does is told by the job's bundle field,
// a list of steps. Commands are obeyed between steps.
import { readFile, writeFile } from 'node:fs/promises'

const job = JSON.parse(await readFile(process.argv[2], 'utf8'))
const script = job.bundle.split(' ')
const say = event => new Promise(resolve => process.send(event, () => resolve()))
const commands = []
let onCommand = () => {}
process.on('message', command => {
  commands.push(command.type)
  onCommand()
})
process.on('disconnect', () => process.exit(0))
const command = async () => {
  while (commands.length === 0)
    await new Promise(resolve => {
      onCommand = resolve
    })
  return commands.shift()
}

/** As if the worse version were right on nothing that the better one is wrong on. */
const compared = (before, after, count) => {
  const gain = Math.round((after - before) * count)
  return { better: Math.max(0, gain), worse: Math.max(0, -gain), equal: count - Math.abs(gain) }
}
const evaluation = (accuracy, count) => ({ accuracy, count })
for (const step of script) {
  const [what, argument] = step.split('=')
  if (what === 'ready') await say({ type: 'ready', parameters: 3, stepsPerEpoch: 2, microBatch: 8 })
  if (what === 'progress')
    await say({
      type: 'progress',
      epoch: Number(argument),
      epochs: 2,
      step: Number(argument),
      steps: 4,
      loss: 0.5,
      stepMs: 7,
    })
  if (what === 'evaluating') await say({ type: 'evaluating' })
  if (what === 'ask') await say({ type: 'ask' })
  // Memory holds so many pictures at once, and no more.
  if (what === 'fits' && job.microBatch > Number(argument)) {
    await say({
      type: 'failed',
      error: { code: 'trainer-failed', message: `std::bad_alloc with ${job.microBatch} pictures` },
    })
    process.exit(1)
  }
  if (what === 'checkpoint') await say({ type: 'checkpoint', step: Number(argument) })
  if (what === 'killed-once') {
    const mark = `${job.checkpointFolder}/killed`
    const before = await readFile(mark).catch(() => undefined)
    await writeFile(mark, '')
    if (before === undefined) process.kill(process.pid, 'SIGKILL')
  }
  if (what === 'killed-over' && job.microBatch > Number(argument)) process.kill(process.pid, 'SIGKILL')
  if (what === 'wait') {
    for (;;) {
      const type = await command()
      if (type === argument) break
      if (type === 'stop') {
        await say({ type: 'stopped' })
        process.exit(0)
      }
    }
  }
  if (what === 'deaf') await new Promise(() => {})
  if (what === 'die') {
    console.error('the engine is out of words')
    process.kill(process.pid, argument)
  }
  if (what === 'exit') process.exit(Number(argument))
  if (what === 'fail')
    await say({ type: 'failed', error: { code: 'not-trainable', message: 'no rule for Foo' } })
  if (what === 'done') {
    const [before, after, reference] = argument.split(',').map(Number)
    await writeFile(job.candidateFile, `weights ${job.runId}`)
    await say({
      type: 'done',
      candidateFile: job.candidateFile,
      losses: [0.6, 0.4],
      epochSeconds: [1, 1],
      peakMemoryBytes: 1000,
      bestEpoch: 2,
      before: { heldOut: evaluation(before, 100), reference: evaluation(0.99, 100) },
      after: { heldOut: evaluation(after, 100), reference: evaluation(reference, 100) },
      comparison: { heldOut: compared(before, after, 100), reference: compared(0.99, reference, 100) },
      latency: { beforeMs: 2, afterMs: 2, ratio: 1, rounds: 1 },
    })
  }
}
process.disconnect()
