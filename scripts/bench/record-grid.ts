// Records a grid of this box for test/profiling: npx tsx scripts/bench/record-grid.ts <functions> <file>. Needs a built dist/.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { machineName } from './figures.ts'
import { gridSpace, profileOf, workloadOf } from './profile-grid.ts'

const [functions, file] = process.argv.slice(2)
if (functions === undefined || file === undefined) {
  process.stderr.write('record-grid.ts <functions folder> <file>\n')
  process.exit(2)
}
const scratch = await mkdtemp(join(tmpdir(), 'corun-grid-'))
try {
  const workload = await workloadOf(functions, scratch)
  const space = gridSpace(workload.training?.batchSize)
  const profile = await profileOf(workload, space, 'exhaustive', (_, { points }) => {
    process.stderr.write(`\r${points.length}`)
  })
  const { trainingAlone, bounds, points } = profile
  const what = { machine: machineName(), functions: Object.keys(profile.workload) }
  // A line a point: small, and a change of one shows as one.
  const lines = points.map(point => JSON.stringify(point)).join(',\n')
  const head = JSON.stringify({ ...what, space, bounds, trainingAlone }).slice(0, -1)
  await writeFile(file, `${head},\n"points":[\n${lines}\n]}\n`)
} finally {
  await rm(scratch, { recursive: true, force: true })
}
process.exit(0)
