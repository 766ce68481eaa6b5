// Suite `corun`: what serving and training cost each other on this box, through the server's own URLs, and what the
// server costs beside its work.
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SuiteOptions, SuiteResult } from './bench.ts'
import { type Found, type Lengths, measureWorkload } from './corun/measure.ts'
import { networkWorkload, shippedWorkload } from './corun/workloads.ts'
import { type Figure, figure } from './figures.ts'

const full: Lengths = {
  ...{ rounds: 5, saturatedMs: 4000, halfMs: 6000, stepsMs: 3000 },
  ...{ floorRounds: 3, floorMs: 16_000, levelMs: 4000, minutes: 15, minuteMs: 700 },
}
const short: Lengths = {
  ...{ rounds: 1, saturatedMs: 2000, halfMs: 2500, stepsMs: 2000 },
  ...{ floorRounds: 1, floorMs: 8000, levelMs: 1500, minutes: 5, minuteMs: 500 },
}

export async function corunSuite({ quick, say }: SuiteOptions): Promise<SuiteResult> {
  const folder = await mkdtemp(join(tmpdir(), 'corun-bench-'))
  const figures: Figure[] = []
  try {
    const workloads = [shippedWorkload, networkWorkload('mobilenet_v3_small'), networkWorkload('resnet18')]
    for (const [index, make] of (quick ? workloads.slice(0, 1) : workloads).entries()) {
      const scratch = join(folder, String(index))
      await mkdir(scratch)
      const workload = await make(scratch)
      say(workload.title)
      const found = await measureWorkload(workload, scratch, quick ? short : full, say)
      figures.push(...figuresOf(workload.title, found, quick))
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return { figures, left: quick ? ['MobileNetV3-Small and ResNet-18: a full run has them'] : [] }
}

/** Of a straight line's growth; the rest is noise of a measurement. */
const linear = '<= 1.15'

function figuresOf(title: string, found: Found, quick: boolean): Figure[] {
  const ratio = (what: string, rounds: number[], bound: string | null) =>
    figure(`${title}: ${what}`, 'x', rounds, { bound, quick })
  return [
    ratio('p99 at half load, training / without', found.p99, '<= 1.15'),
    ratio('p99 under bursts, training / without', found.burstP99, null),
    ratio(
      'saturated throughput without a floor, training / without',
      found.throughputWithoutFloor,
      '>= 0.95',
    ),
    ratio('saturated throughput with the floor, training / without', found.throughputWithFloor, '>= 0.90'),
    ratio('training steps a second, saturated with the floor / alone', found.stepsAtFloor, '>= 0.04'),
    ratio('training steps a second, half load / alone', found.stepsAtHalf, '>= 0.45'),
    ratio('inference share + training share at half load', found.shares, '>= 0.90'),
    ratio('latency beside training, 1 to K at once, over linear growth', found.latencyGrowth, linear),
    ratio('epoch time, 1 to K at once, over linear growth', found.epochGrowth, linear),
    ratio('processor time a request, server / bare loop', found.overhead, '<= 1.15'),
    figure(`${title}: failed requests of ${found.requests}`, '', [found.failed], { bound: '<= 0', quick }),
  ]
}
