// Writes the README's generated tables: errors from runtime/core/errors.ts, options from runtime/core/config.ts,
// metrics from runtime/observe.
// `node --import tsx scripts/readme-tables.ts` after either has changed; a test fails while they differ.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { configOptions } from '../runtime/core/config.ts'
import { errorKinds } from '../runtime/core/errors.ts'
import { metricsTable } from './metrics-table.ts'

const tables: Record<string, () => string | Promise<string>> = {
  errors: () =>
    [
      '| Code | Status | What | What to do |',
      '|---|---|---|---|',
      ...Object.entries(errorKinds).map(
        ([code, { status, title, hint }]) => `| \`${code}\` | ${status} | ${title} | ${hint} |`,
      ),
    ].join('\n'),
  options: () =>
    [
      '| Option | Environment | Default | What |',
      '|---|---|---|---|',
      ...configOptions.map(
        ({ flag, env, default: defaultText, description }) =>
          `| \`--${flag}\` | \`${env}\` | ${defaultText} | ${description} |`,
      ),
    ].join('\n'),
  metrics: metricsTable,
}

/** The text with every `<!-- name -->...<!-- /name -->` filled from its table. */
export async function fillTables(readme: string): Promise<string> {
  let text = readme
  for (const [name, table] of Object.entries(tables)) {
    const marked = new RegExp(`(<!-- ${name} -->)[\\s\\S]*?(<!-- /${name} -->)`)
    const filled = await table()
    text = text.replace(marked, (_all, open: string, close: string) => `${open}\n${filled}\n${close}`)
  }
  return text
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = fileURLToPath(new URL('../README.md', import.meta.url))
  writeFileSync(file, await fillTables(readFileSync(file, 'utf8')))
}
