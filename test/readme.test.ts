import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { configOptions } from '../runtime/core/config.ts'
import { errorKinds } from '../runtime/core/errors.ts'
import { metricsTable } from '../scripts/metrics-table.ts'
import { fillTables } from '../scripts/readme-tables.ts'

const test = suite('README')
const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')
const readme = read('../README.md')

test('its generated tables are those of the code', async () => {
  assert.is(await fillTables(readme), readme, 'run: node --import tsx scripts/readme-tables.ts')
})

test('every error code and every option is in it', () => {
  for (const code of Object.keys(errorKinds)) assert.ok(readme.includes(`\`${code}\``), code)
  for (const { flag, env } of configOptions)
    assert.ok(readme.includes(`--${flag}`) && readme.includes(env), flag)
})

test('every metric is in it, those of the process itself excepted', async () => {
  const names = (await metricsTable()).match(/corun_\w+/g) ?? []
  assert.ok(names.length > 20)
  for (const name of names) assert.ok(readme.includes(`| \`${name}\` |`), name)
})

test('every dependency earns its place in a line of it', () => {
  const { dependencies, devDependencies } = JSON.parse(read('../package.json'))
  for (const name of Object.keys({ ...dependencies, ...devDependencies })) {
    const line = readme
      .split('\n')
      .some(line => line.startsWith('|') && line.includes(name.replace(/^@fontsource.*/, '@fontsource')))
    assert.ok(line, name)
  }
})

test('every npm script that it names exists', () => {
  const { scripts } = JSON.parse(read('../package.json'))
  for (const [, name = ''] of readme.matchAll(/npm run ([a-z:-]+)/g)) assert.ok(name in scripts, name)
})

test('every file of a function that a README names exists', () => {
  const functions = new URL('../functions/', import.meta.url)
  const readmes = readdirSync(functions)
    .map(name => `../functions/${name}/README.md`)
    .filter(path => existsSync(new URL(path, import.meta.url)))
  for (const path of ['../README.md', ...readmes]) {
    for (const [file] of read(path).matchAll(/(?<=[@ ])functions\/[\w./-]+\.\w+/g)) {
      assert.ok(existsSync(new URL(`../${file}`, import.meta.url)), `${path}: ${file}`)
    }
  }
})

test.run()
