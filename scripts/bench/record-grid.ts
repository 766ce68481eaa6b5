// Records a grid of this box for test/profiling: each point several times over the whole of it, so that minutes in which the
// machine is slower are no property of some points, and beside training also beside the expected load.
// npx tsx scripts/bench/record-grid.ts <functions> <file>. Needs a built dist/.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMeasureBox } from '../../runtime/profiling/measure-box.ts'
import { choosePoint, expectedRate, type Goal } from '../../runtime/profiling/objective.ts'
import type { MeasuredPoint } from '../../runtime/profiling/profile.ts'
import { gridOf, type SearchPoint } from '../../runtime/profiling/space.ts'
import { machineName } from './figures.ts'
import { bounds, gridSpace, measureOptions, workloadOf } from './profile-grid.ts'

const passes = 3

const [functions, file] = process.argv.slice(2)
if (functions === undefined || file === undefined) {
  process.stderr.write('record-grid.ts <functions folder> <file>\n')
  process.exit(2)
}
const scratch = await mkdtemp(join(tmpdir(), 'corun-grid-'))
try {
  const workload = await workloadOf(functions, scratch)
  const { provider, load, training } = workload
  const space = { ...gridSpace(training?.batchSize), batch: [1, 2] }
  const goal: Goal = { objective: 'throughput', bounds: { ...bounds, deviceBudgetBytes: null } }
  const box = await openMeasureBox({ ...measureOptions(workload), provider, trainingAlone: null })
  const points: MeasuredPoint[] = []
  const measured = () => ({ points, trainingAlone: box.trainingAlone() })
  const measure = async (point: SearchPoint, rate: number | null = null) => {
    points.push(await box.measure(point, rate))
    process.stderr.write(`\r${points.length} measurements`)
  }
  for (const point of gridOf({ ...space, trainerThreads: [], microBatch: [] })) await measure(point)
  // A session keeps the threads that it was opened with; which those would be is settled here, once for all passes.
  const grid = gridOf(space, choosePoint(measured(), goal, space, false)?.point.intraOpThreads)
  const rate = expectedRate(measured(), goal, space)
  for (let pass = 0; pass < passes; pass += 1) {
    for (const point of grid) {
      if (pass > 0 || point.training) await measure(point)
      if (point.training) await measure(point, rate)
    }
  }
  await box.close()
  const what = { machine: machineName(), functions: load.map(({ deployment }) => deployment.function) }
  // A line a point: small, and a change of one shows as one.
  const lines = points.map(point => JSON.stringify(point)).join(',\n')
  const head = JSON.stringify({ ...what, space, bounds: goal.bounds, trainingAlone: box.trainingAlone() })
  await writeFile(file, `${head.slice(0, -1)},\n"points":[\n${lines}\n]}\n`)
} finally {
  await rm(scratch, { recursive: true, force: true })
}
process.exit(0)
