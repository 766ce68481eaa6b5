// Records a grid of this box for test/profiling, each point beside training also beside the expected load:
// npx tsx scripts/bench/record-grid.ts <functions> <file>. Needs a built dist/.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Workload } from '../../runtime/cli/profile-workload.ts'
import { openMeasureBox } from '../../runtime/profiling/measure-box.ts'
import { expectedRate } from '../../runtime/profiling/objective.ts'
import type { MeasuredPoint, Profile } from '../../runtime/profiling/profile.ts'
import { isSame, pointOf, type SearchSpace } from '../../runtime/profiling/space.ts'
import { machineName } from './figures.ts'
import { gridSpace, measureOptions, profileOf, workloadOf } from './profile-grid.ts'

const [functions, file] = process.argv.slice(2)
if (functions === undefined || file === undefined) {
  process.stderr.write('record-grid.ts <functions folder> <file>\n')
  process.exit(2)
}

/** What the exhaustive search has no need of, and a quick one may ask for. */
async function besideLoad(
  workload: Workload,
  profile: Profile,
  space: SearchSpace,
): Promise<MeasuredPoint[]> {
  const { objective, bounds, points, trainingAlone } = profile
  const rate = expectedRate(profile, { objective, bounds }, space)
  const isKnown = (point: MeasuredPoint) => points.some(other => other.rate !== null && isSame(other, point))
  const left = points.filter(point => point.training && point.rate === null && !isKnown(point))
  const { provider } = workload
  const box = await openMeasureBox({ ...measureOptions(workload), provider, trainingAlone })
  try {
    const found: MeasuredPoint[] = []
    for (const point of left) {
      found.push(await box.measure(pointOf(point), rate))
      process.stderr.write(`\r${points.length} + ${found.length} of ${left.length} beside the load`)
    }
    return found
  } finally {
    await box.close()
  }
}

const scratch = await mkdtemp(join(tmpdir(), 'corun-grid-'))
try {
  const workload = await workloadOf(functions, scratch)
  const space = gridSpace(workload.training?.batchSize)
  const profile = await profileOf(workload, space, 'exhaustive', (_, { points }) => {
    process.stderr.write(`\r${points.length}`)
  })
  const { trainingAlone, bounds } = profile
  const points = [...profile.points, ...(await besideLoad(workload, profile, space))]
  const what = { machine: machineName(), functions: Object.keys(profile.workload) }
  // A line a point: small, and a change of one shows as one.
  const lines = points.map(point => JSON.stringify(point)).join(',\n')
  const head = JSON.stringify({ ...what, space, bounds, trainingAlone }).slice(0, -1)
  await writeFile(file, `${head},\n"points":[\n${lines}\n]}\n`)
} finally {
  await rm(scratch, { recursive: true, force: true })
}
process.exit(0)
