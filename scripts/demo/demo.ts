// The whole loop on real pictures: serve, profile, drift, retrain beside serving, promote. Each step happens through
// the same commands and URLs that operators and apps use. Exit code 0 only if every check of report.ts holds.
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { largestWithinBounds } from '../../runtime/profiling/objective.ts'
import type { Profile } from '../../runtime/profiling/profile.ts'
import type { RetrainingView } from '../../runtime/retraining/retraining-view.ts'
import { isOver, type RunRecord } from '../../runtime/retraining/run-record.ts'
import { closedLoop, createClient, type LoadItem, type LoadResult, openLoop } from '../bench/load.ts'
import { randomFrom } from '../pictures/random.ts'
import { type DrawOptions, type Subject, subjects } from '../pictures/subject.ts'
import { checksOf, type DemoReport, tableOf } from './report.ts'
import { runCommand, type ServerProcess, startServer } from './server-process.ts'

/** The seeds of the sets: the server's reference set has others, so no picture is in two of them. */
const seeds = { clean: 101, samples: 202, heldOut: 303, load: 404 }
/** What the demo shows of each subject, unless another drift is asked for. */
const shows = { scene: { drift: 'out-of-focus' }, text: { drift: 'low-light' } }

const { values, positionals } = parseArgs({
  options: { drift: { type: 'string' }, json: { type: 'string' } },
  allowPositionals: true,
})
const [asked = 'scene'] = positionals
if ((asked !== 'scene' && asked !== 'text') || positionals.length > 1) {
  process.stderr.write(`"${positionals.join(' ')}" cannot be shown; expected scene or text\n`)
  process.exit(2)
}
const subject = subjects[asked]()
const drift = values.drift ?? shows[asked].drift
if (!subject.drifts.includes(drift)) {
  process.stderr.write(`--drift is "${drift}"; expected one of ${subject.drifts.join(', ')}\n`)
  process.exit(2)
}
process.exit(await demo(subject, drift, resolve(values.json ?? join('.corun', 'demo.json'))))

async function demo(subject: Subject, drift: string, jsonFile: string): Promise<number> {
  const { name } = subject
  const startedAt = performance.now()
  const step = (text: string) =>
    process.stderr.write(`[${((performance.now() - startedAt) / 1000).toFixed(0).padStart(3)} s] ${text}\n`)
  const scratch = await mkdtemp(join(tmpdir(), 'corun-demo-'))
  const options = [
    ...['--functions', join(scratch, 'functions')],
    ...['--data', join(scratch, 'data')],
    ...['--profiles', join(scratch, 'profiles')],
  ]
  let server: ServerProcess | undefined
  const results: LoadResult[] = []
  const counted = async (work: Promise<LoadResult>) => {
    const result = await work
    results.push(result)
    if (result.failed > 0) step(`  ${result.failed} requests failed: ${result.failures.join('; ')}`)
    return result
  }

  try {
    // Alone, so that the profile is one of this function.
    await cp(join(packageRoot, 'functions', name), join(scratch, 'functions', name), { recursive: true })
    step(`making ${subject.what}`)
    const [clean, drifted, samples] = await Promise.all([
      pictures(subject, { count: 300, seed: seeds.clean, use: 'judge' }),
      pictures(subject, { count: 300, seed: seeds.heldOut, use: 'judge', drift }),
      pictures(subject, { count: 320, seed: seeds.samples, use: 'teach', drift }),
    ])

    step('starting the runtime')
    server = await startServer(['--port', '0', ...options])
    const startMs = {
      ready: server.readyMs,
      firstRequest: await firstRequest(`${server.url}/fn/${name}`, clean),
    }
    step(
      `  ready after ${startMs.ready.toFixed(0)} ms, first answer ${startMs.firstRequest.toFixed(0)} ms later`,
    )
    await server.stop()

    step('profiling the box: how many inferences run at once, alone and beside training')
    const profile: Profile = JSON.parse(
      await runCommand(['profile', '--json', '--window', '500', ...options], text => step(text.trimEnd())),
    )
    server = await startServer(['--port', '0', ...options])
    const url = `${server.url}/fn/${name}`
    const pid = server.pid

    step('asking it about clean pictures, as fast as it answers')
    const cleanBefore = await counted(closedLoop(url, clean, profile.alone.threads))
    step(`  ${shown(cleanBefore)}`)

    step(`the world drifts: ${drift}`)
    const driftedBefore = await counted(closedLoop(url, drifted, profile.alone.threads))
    step(`  ${shown(driftedBefore)}`)

    const rate = cleanBefore.throughput / 2
    const random = randomFrom(seeds.load, 'arrivals')
    const load = (until: Promise<unknown>) =>
      counted(openLoop(url, drifted, { rate, until, random: () => random.between(0, 1) }))
    step(`half of that load without training: ${rate.toFixed(0)} requests/s`)
    const halfAlone = await load(after(10_000))
    step(`  ${shown(halfAlone)}`)

    step(`posting ${samples.length} labelled pictures of the drifted world`)
    await postSamples(`${server.url}/api/functions/${name}/samples`, samples)
    step('retraining while the same load goes on')
    const run = retrain(`${server.url}/api/retraining/${name}`, step)
    const halfBeside = await load(run.finished)
    const ended = await run.finished
    step(`  ${ended.state}: ${ended.decision?.reasons.join('; ') ?? ended.error?.message}`)
    step(`  ${shown(halfBeside)}`)

    step('asking the version that serves now')
    const driftedAfter = await counted(closedLoop(url, drifted, profile.alone.threads))
    const cleanAfter = await counted(closedLoop(url, clean, profile.alone.threads))

    const found: Omit<DemoReport, 'checks'> = {
      machine: `${cpus()[0]?.model.trim()} x${availableParallelism()}, Node ${process.version}`,
      seconds: (performance.now() - startedAt) / 1000,
      startMs,
      profile: {
        alone: profile.alone.threads,
        besideTraining: profile.besideTraining.threads,
        largestAlone: largestWithinBounds(profile, profile.bounds, false),
        largestBesideTraining: largestWithinBounds(profile, profile.bounds, true),
      },
      drift,
      clean: { before: cleanBefore, after: cleanAfter },
      drifted: { before: driftedBefore, after: driftedAfter },
      halfLoad: { ratePerSecond: rate, alone: halfAlone, besideTraining: halfBeside },
      samples: {
        training: ended.samples.training,
        heldOut: ended.samples.heldOut,
        replay: ended.samples.reference,
      },
      training: { seconds: ended.seconds ?? 0, epochs: ended.losses.length, losses: ended.losses },
      state: ended.state,
      versions: { before: cleanBefore.versions.join(), after: cleanAfter.versions.join() },
      restarts: server.pid === pid ? 0 : 1,
      failedRequests: results.reduce((sum, { failed }) => sum + failed, 0),
    }
    const report: DemoReport = { ...found, checks: checksOf(found) }
    const exitCode = await server.stop()
    step(`stopped with exit code ${exitCode}`)

    await mkdir(dirname(jsonFile), { recursive: true })
    await writeFile(jsonFile, `${JSON.stringify(report, null, 2)}\n`)
    process.stdout.write(`\n${tableOf(report)}\n\n${jsonFile}\n`)
    return report.checks.every(({ holds }) => holds) && exitCode === 0 ? 0 : 1
  } finally {
    await server?.stop()
    await rm(scratch, { recursive: true, force: true })
  }
}

async function pictures(subject: Subject, set: DrawOptions): Promise<LoadItem[]> {
  const drawn = await subject.draw(set)
  return drawn.map(({ image, label }) => ({ body: image, label, contentType: 'image/jpeg' }))
}

async function firstRequest(url: string, items: readonly LoadItem[]): Promise<number> {
  const { latencyMs } = await closedLoop(url, items.slice(0, 1), 1)
  return latencyMs.p50
}

async function postSamples(url: string, samples: readonly LoadItem[]): Promise<void> {
  for (const label of new Set(samples.map(sample => sample.label))) {
    const client = createClient(`${url}?label=${label}`, 1)
    for (const sample of samples.filter(sample => sample.label === label)) {
      const { status, body } = await client.send(sample)
      if (status !== 201) throw new Error(`a sample was answered ${status}: ${body}`)
    }
    client.close()
  }
}

/** Starts a run by the API and follows it to its end, telling of every epoch. */
function retrain(path: string, step: (text: string) => void): { finished: Promise<RunRecord> } {
  const follow = async () => {
    const started = await fetch(`${path}/run`, { method: 'POST' })
    if (started.status !== 202)
      throw new Error(`the run was answered ${started.status}: ${await started.text()}`)
    const { id } = (await started.json()) as RunRecord
    for (let epoch = 0; ; ) {
      const { active, runs } = (await (await fetch(path)).json()) as RetrainingView
      const run = [active, ...runs].find(run => run?.id === id)
      if (run && isOver(run)) return run
      if (run?.progress && run.progress.epoch > epoch) {
        epoch = run.progress.epoch
        step(`  epoch ${epoch} of ${run.progress.epochs}, loss ${run.progress.loss.toFixed(4)}`)
      }
      await after(500)
    }
  }
  return { finished: follow() }
}

function shown({ accuracy, throughput, latencyMs, failed }: LoadResult): string {
  const right = accuracy === null ? '' : `${(accuracy * 100).toFixed(1)} % right, `
  return `${right}${throughput.toFixed(0)}/s, p50 ${latencyMs.p50.toFixed(1)} ms, p99 ${latencyMs.p99.toFixed(1)} ms, ${failed} failed`
}

function after(ms: number): Promise<void> {
  return new Promise(done => setTimeout(done, ms))
}
