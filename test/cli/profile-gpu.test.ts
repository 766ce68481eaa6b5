/** `corun profile` to the end on a device whose memory is told by a stand-in nvidia-smi, and shrinks. */
import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { systemClock } from '../../runtime/core/clock.ts'
import { builtEntry } from '../../runtime/core/package-root.ts'
import { openTraffic } from '../../runtime/observe/traffic.ts'
import { escapeText } from '../../runtime/profiling/chart.ts'
import { profileSchema } from '../../runtime/profiling/profile.ts'
import { collectingLogger } from '../pool/harness.ts'
import { gpu, probeMiB, simulateGpu } from './simulated-gpu.ts'

const test = suite('cli/profile on a simulated GPU')
const MiB = 2 ** 20

interface Run {
  lines: string[]
  stdout: string
  code: number | null
}

/** `onLine` may end the command, with everything that it has started, in the middle. */
async function profile(
  args: string[],
  env: NodeJS.ProcessEnv,
  onLine: (line: string, kill: () => void) => void = () => {},
): Promise<Run> {
  const child = spawn(process.execPath, [builtEntry('main'), 'profile', '--json', ...args], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const run: Run = { lines: [], stdout: '', code: null }
  const kill = () => process.kill(-(child.pid ?? 0), 'SIGKILL')
  createInterface({ input: child.stderr }).on('line', line => {
    run.lines.push(line)
    onLine(line, kill)
  })
  child.stdout.setEncoding('utf8').on('data', text => {
    run.stdout += text
  })
  run.code = await new Promise(resolve => child.once('close', resolve))
  return run
}

const isPoint = (line: string) => /at once/.test(line)

test('what would not fit is predicted and not tried, what did not fit is remembered, and a full device ends the search', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const [first, second] = [join(folder, 't1'), join(folder, 't2')]
  const [data, profiles] = [join(folder, 'data'), join(folder, 'profiles')]
  try {
    const device = await simulateGpu(folder, profiles)
    const traffic = await openTraffic({ dataDir: data, clock: systemClock, log: collectingLogger().log })
    traffic.count('side')
    await traffic.close()
    for (const temporary of [first, second]) await mkdir(temporary)
    const bounds = ['--latency-bound', '1000x', '--max-epoch-stretch', '1e9']
    // All points in their order: which is the faster does not matter to what is tried.
    const small = ['--exhaustive', '--window', '60', '--max-threads', '4', '--max-batch', '1']
    const args = [
      ...['--functions', device.functions, '--data', data, '--profiles', profiles],
      ...['--provider', 'cpu', ...bounds, ...small],
    ]

    // Interrupted when memory has run out: at once, or some points later where this process gets no core.
    const interrupted = await profile(args, device.env(first), (line, kill) => {
      if (/3 at once, alone: memory ran out/.test(line)) kill()
    })
    assert.is(interrupted.code, null, interrupted.lines.join('\n'))
    const told = interrupted.lines.filter(isPoint).length

    const whole = await profile(args, device.env(second))
    assert.is(whole.code, 0, whole.lines.join('\n'))
    const found = profileSchema.parse(JSON.parse(whole.stdout))
    const isKnown = /^ {2}(\d+) points are known from a profile that was interrupted$/m
    const known = Number(isKnown.exec(whole.lines.join('\n'))?.[1])
    // A point is kept before it is told.
    assert.ok(known === told || known === told + 1, `${known} are known, and ${told} were told`)
    assert.is(whole.lines.filter(isPoint).length, found.points.length - known)
    assert.is(found.mix, 'observed')

    // Each point's memory is what the device told while it was loaded, and the budget what was free before them all.
    assert.is(found.bounds.deviceBudgetBytes, Math.floor(gpu.total * MiB * 0.9))
    const alone = found.points.filter(({ training }) => !training)
    for (const point of alone.filter(({ fits }) => fits)) {
      assert.is(point.deviceMemoryBytes, probeMiB(point.threads, point.batch) * MiB)
    }
    // Four would not fit, as one and two had told, and were not tried; three were, and a second time were not.
    assert.equal(
      alone.slice(0, 3).map(({ threads, fits }) => [threads, fits]),
      [
        [1, true],
        [2, true],
        [3, false],
      ],
    )
    assert.is(found.points.filter(({ threads }) => threads > 2).length, 1)
    assert.ok(alone.some(({ intraOpThreads }) => intraOpThreads > 1) || availableParallelism() === 1)
    assert.ok(found.alone.threads <= 2)

    // Beside the trainer two would not fit, and when others had filled the device nothing more was tried.
    const beside = found.points.filter(({ training }) => training)
    assert.is(beside[0]?.deviceMemoryBytes, (probeMiB(1, 1) + gpu.trainer) * MiB)
    assert.is(beside.length, 1, `${beside.length - 1} points were tried on a full device`)
    assert.is(found.trainingAlone?.deviceMemoryBytes, gpu.trainer * MiB)
    assert.is(found.besideTraining.threads, 1)
    const [full, ...beyond] = found.search.leftOut
    assert.match(full ?? '', /part of the search: 778 MiB of the device's memory were taken before it began/)
    const two =
      /^2 at once,.* beside training .*: it would take 710 MiB of the device's memory, over the 700 MiB/
    assert.ok(
      beyond.some(text => two.test(text)),
      beyond.join('\n'),
    )

    const report = (await readdir(profiles)).find(name => name.endsWith('.html')) ?? ''
    const html = await readFile(join(profiles, report), 'utf8')
    for (const text of [found.alone.reason, found.besideTraining.reason, ...found.search.leftOut]) {
      assert.ok(html.includes(escapeText(text)), text)
    }
    assert.ok(html.includes('no memory') && html.includes('device MiB'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})

test.run()
