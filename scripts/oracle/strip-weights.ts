/**
 * Makes test/fixtures/networks/NAME.onnx.gz of every FOLDER/NAME.onnx that export_networks.py wrote:
 *   node --import tsx scripts/oracle/strip-weights.ts FOLDER
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { fixtureOf } from './load-network.ts'
import { dropWeights } from './weight-sketch.ts'

const [folder] = process.argv.slice(2)
if (folder === undefined) {
  console.error('usage: strip-weights.ts FOLDER')
  process.exit(2)
}
for (const file of readdirSync(folder).filter(file => file.endsWith('.onnx'))) {
  const small = gzipSync(dropWeights(readFileSync(join(folder, file))), { level: 9 })
  writeFileSync(fixtureOf(basename(file, '.onnx')), small)
  console.log(`${file}: ${(small.length / 1000).toFixed(1)} kB`)
}
