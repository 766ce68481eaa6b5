/**
 * `corun samples`: lists, exports, imports and removes labelled pictures. It speaks to the running server, or to the
 * same application without a port, so that the same checks hold for both.
 */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Config } from '../core/config.ts'
import { CorunError } from '../core/errors.ts'
import { createApp } from '../http/app.ts'
import { createLogger } from '../observe/log.ts'
import { folderOfLabel, labelFile, labelOfFolder } from '../samples/label-folder.ts'
import { isPictureFile } from '../samples/reference.ts'
import type { Sample } from '../samples/sample-store.ts'
import type { SampleSummary } from '../samples/summary.ts'
import { createServerClient, type ServerClient, withServerOr } from './client.ts'
import { command } from './command.ts'
import { parseAge } from './parse-age.ts'
import { openSystem } from './system.ts'

type Listed = Omit<Sample, 'file'>

interface Wish {
  action: string
  function?: string | undefined
  folder?: string | undefined
  id?: string | undefined
  label?: string | undefined
  olderThan?: string | undefined
}

/** What a command did, as `--json` prints it. */
interface Report {
  result: object
  text: string
  /** False where something was refused. */
  ok: boolean
}

export default command({
  name: 'samples',
  description: 'List, export, import or remove labelled pictures',
  args: {
    action: { type: 'positional', description: 'list, export, import or remove', default: 'list' },
    function: { type: 'positional', description: 'Name of the function', required: false },
    folder: { type: 'positional', description: 'For export and import: a folder a label', required: false },
    id: { type: 'string', description: 'Remove this sample', valueHint: 'id' },
    label: { type: 'string', description: 'Remove those of this label', valueHint: 'label' },
    'older-than': { type: 'string', description: 'Remove those that are older, such as 30d or 12h' },
  },
  async run({ config, json, args }) {
    const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined)
    const wish: Wish = {
      action: text(args.action) ?? 'list',
      function: text(args.function),
      folder: text(args.folder),
      id: text(args.id),
      label: text(args.label),
      olderThan: text(args['older-than']),
    }
    const act = actionOf(wish)
    const report = await withServerOr(config, act, () => offline(config, wish, act))
    process.stdout.write(json ? `${JSON.stringify(report.result)}\n` : report.text)
    return report.ok ? 0 : 1
  },
})

type Act = (client: ServerClient) => Promise<Report>

/** Everything that can be wrong with the words is found before anything is opened. */
function actionOf(wish: Wish): Act {
  const { action, function: name, folder } = wish
  if (!['list', 'export', 'import', 'remove'].includes(action)) {
    throw new CorunError('invalid-config', `corun samples ${action}: expected list, export, import or remove`)
  }
  const takesFolder = action === 'export' || action === 'import'
  if (folder !== undefined && !takesFolder) {
    throw new CorunError('invalid-config', `corun samples ${action} takes no folder, "${folder}" was given`)
  }
  const chosen = [wish.id, wish.label, wish.olderThan].some(value => value !== undefined)
  if (chosen && action !== 'remove') {
    throw new CorunError('invalid-config', `corun samples ${action} takes no --id, --label or --older-than`)
  }
  if (action === 'list') return client => list(client, name)
  if (name === undefined) throw new CorunError('invalid-config', `corun samples ${action} <function>`)
  if (action === 'remove') return removal(name, wish)
  if (folder === undefined) throw new CorunError('invalid-config', `corun samples ${action} ${name} <folder>`)
  return client => (action === 'export' ? exportTo(client, name, folder) : importFrom(client, name, folder))
}

async function offline(config: Config, { action }: Wish, act: Act): Promise<Report> {
  const log = createLogger('warn')
  const system = await openSystem(config, log)
  try {
    // Only what is posted is checked against the functions.
    if (action === 'import') await system.start()
    const { adminToken, bodyLimit } = config
    // What needs no function is asked without a start.
    const context = { ...system, functions: system.registry, notReady: () => undefined, log }
    const app = createApp({ ...context, config: { adminToken, bodyLimit } })
    return await act(createServerClient('http://localhost', config, (url, init) => app.request(url, init)))
  } finally {
    await system.close()
  }
}

const pathOf = (name: string) => `/api/functions/${encodeURIComponent(name)}/samples`

async function list(client: ServerClient, name: string | undefined): Promise<Report> {
  const samples =
    name === undefined
      ? (await client.get<{ samples: SampleSummary[] }>('/api/samples')).samples
      : [await client.get<SampleSummary>(pathOf(name))]
  const text = samples.map(({ function: name, count, bytes, labels }) => {
    const rows = labels.map(
      ({ label, count, bytes, split, oldest, newest }) =>
        `  ${label.padEnd(24)} ${String(count).padStart(6)} ${megabytes(bytes)}  ${Object.entries(split)
          .map(([side, size]) => `${side} ${size}`)
          .join(', ')}  ${oldest.slice(0, 16)} to ${newest.slice(0, 16)}\n`,
    )
    return `${name}: ${count} samples, ${megabytes(bytes).trim()}\n${rows.join('')}`
  })
  return { result: { samples }, text: text.join('') || 'no samples\n', ok: true }
}

const megabytes = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`.padStart(10)

/** Writes `<folder>/<label>/<id>.<format>`. */
async function exportTo(client: ServerClient, name: string, folder: string): Promise<Report> {
  const { samples } = await client.get<{ samples: Listed[] }>(`${pathOf(name)}?list=true`)
  for (const { id, label, format } of samples) {
    const own = join(folder, folderOfLabel(label))
    await mkdir(own, { recursive: true })
    if (labelOfFolder(folderOfLabel(label)) !== label) await writeFile(join(own, labelFile), label)
    await writeFile(join(own, `${id}.${format}`), await client.bytes(`${pathOf(name)}/${id}`))
  }
  return {
    result: { exported: samples.length, folder },
    text: `exported ${samples.length} samples to ${folder}\n`,
    ok: true,
  }
}

/** Posts `<folder>/<label>/*`; what is refused is told and left out. */
async function importFrom(client: ServerClient, name: string, folder: string): Promise<Report> {
  const counts = { imported: 0, duplicates: 0 }
  const refused: { file: string; why: string }[] = []
  for (const own of await foldersIn(folder)) {
    const told = await readFile(join(folder, own, labelFile), 'utf8').catch(() => undefined)
    const target = `${pathOf(name)}?label=${encodeURIComponent(told ?? labelOfFolder(own))}`
    for (const file of (await readdir(join(folder, own))).sort()) {
      if (!isPictureFile(file)) continue
      const path = join(folder, own, file)
      try {
        const { duplicate } = await client.post<{ duplicate: boolean }>(target, await readFile(path))
        counts[duplicate ? 'duplicates' : 'imported'] += 1
      } catch (error) {
        refused.push({ file: path, why: error instanceof Error ? error.message : String(error) })
      }
    }
  }
  const found = `imported ${counts.imported} samples, ${counts.duplicates} were there already`
  const lines = [found, ...refused.map(({ file, why }) => `refused ${file}: ${why}`)]
  return {
    result: { ...counts, refused },
    text: lines.map(line => `${line}\n`).join(''),
    ok: refused.length === 0,
  }
}

async function foldersIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: Error) => {
    throw new CorunError('invalid-config', `folder ${folder} cannot be read: ${error.message}`)
  })
  return entries
    .filter(entry => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .sort()
}

function removal(name: string, { id, label, olderThan }: Wish): Act {
  if ((id === undefined) === (label === undefined && olderThan === undefined)) {
    throw new CorunError('invalid-config', 'remove takes --id, or --label and --older-than or one of them')
  }
  const query = new URLSearchParams()
  if (label !== undefined) query.set('label', label)
  if (olderThan !== undefined) query.set('before', new Date(Date.now() - parseAge(olderThan)).toISOString())
  const path = id === undefined ? `${pathOf(name)}?${query}` : `${pathOf(name)}/${encodeURIComponent(id)}`
  return async client => {
    const { removed } = await client.delete<{ removed: Listed[] }>(path)
    return {
      result: { removed: removed.map(sample => sample.id) },
      text: `removed ${removed.length} samples\n`,
      ok: true,
    }
  }
}
