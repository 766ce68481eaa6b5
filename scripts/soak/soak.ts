// npm run soak -- retraining|kill [count]: what must hold over many runs and many kills. Exit code 1 when it does not.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { soakKills } from './kill.ts'
import { soakRetraining } from './retraining.ts'

const [what, count] = process.argv.slice(2)
const say = (text: string) => void process.stderr.write(`${text}\n`)
const folder = await mkdtemp(join(tmpdir(), 'corun-soak-'))
try {
  if (what === 'kill') {
    const report = await soakKills(folder, { kills: Number(count ?? 50), seed: Date.now(), say })
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
  } else if (what === 'retraining') {
    const report = await soakRetraining(folder, { runs: Number(count ?? 100), rate: 20, say })
    process.stdout.write(`${JSON.stringify(report, null, 2)}\n`)
    if (!report.holds) process.exitCode = 1
  } else {
    say('usage: npm run soak -- retraining [runs] | kill [kills]')
    process.exitCode = 2
  }
} catch (error) {
  say(String(error))
  process.exitCode = 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
