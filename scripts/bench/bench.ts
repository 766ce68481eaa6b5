// `corun bench <suite>`: runs one suite and prints a table, or with --json one object on standard output. Exit code 1
// when a figure misses its bound.
import { parseArgs } from 'node:util'
import { corunSuite } from './corun-suite.ts'
import { driftSuite } from './drift-suite.ts'
import { type BenchReport, commitName, type Figure, figuresTable, machineName } from './figures.ts'
import { functionsSuite } from './functions-suite.ts'
import { learningSuite } from './learning-suite.ts'
import { profileSuite } from './profile-suite.ts'
import { trainingSuite } from './training-suite.ts'

export interface SuiteOptions {
  /** A short version, whose figures no bound judges. */
  quick: boolean
  /** Tells people what happens; never on standard output. */
  say(text: string): void
}

export interface SuiteResult {
  figures: Figure[]
  left: string[]
}

const suites: Record<string, (options: SuiteOptions) => Promise<SuiteResult>> = {
  corun: corunSuite,
  profile: profileSuite,
  functions: functionsSuite,
  training: trainingSuite,
  learning: learningSuite,
  drift: driftSuite,
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean', default: false }, quick: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const [name = ''] = positionals
  const suite = Object.hasOwn(suites, name) ? suites[name] : undefined
  if (suite === undefined || positionals.length !== 1) {
    process.stderr.write(
      `corun bench <suite>: "${positionals.join(' ')}"; expected one of ${Object.keys(suites).join(', ')}\n`,
    )
    return 2
  }
  const { figures, left } = await suite({
    quick: values.quick,
    say: text => process.stderr.write(`${text}\n`),
  })
  const report: BenchReport = { suite: name, machine: machineName(), commit: commitName(), figures, left }
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : `${figuresTable(report)}\n`)
  return figures.some(({ holds }) => holds === false) ? 1 : 0
}

process.exit(await main())
