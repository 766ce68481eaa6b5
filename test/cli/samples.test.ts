import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { runCli } from '../../runtime/cli/run-cli.ts'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { runCommand, startServer } from '../../scripts/demo/server-process.ts'
import { makeSet } from '../../scripts/pictures/make-set.ts'

const test = suite('cli/samples')

const name = 'text-orientation'
let folder = ''
let options: string[] = []

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  options = ['--data', join(folder, 'data'), '--functions', join(packageRoot, 'functions')]
  for (const [index, { image, label }] of (await makeSet({ count: 24, seed: 5 })).entries()) {
    await mkdir(join(folder, 'in', label), { recursive: true })
    await writeFile(join(folder, 'in', label, `${index}.jpg`), image)
  }
})
test.after(() => rm(folder, { recursive: true, force: true }))

const samples = async (...args: string[]) =>
  JSON.parse(await runCommand(['samples', ...args, '--json', ...options], () => {}))
const refusal = (...args: string[]) =>
  runCommand(['samples', ...args, ...options], () => {}).then(
    () => '',
    error => error.message as string,
  )
const countsOf = ({ samples: [found] }: { samples: { labels: { label: string; count: number }[] }[] }) =>
  Object.fromEntries((found?.labels ?? []).map(({ label, count }) => [label, count]))
const contents = async (from: string) => {
  const files = (await readdir(from, { recursive: true })).filter(file => file.endsWith('.jpg'))
  return (await Promise.all(files.map(file => readFile(join(from, file), 'base64')))).sort()
}

test('without a server a folder a label goes in, and what is no picture or of no known label is told and left out', async () => {
  await mkdir(join(folder, 'in', 'sideways'))
  await writeFile(join(folder, 'in', 'sideways', 'a.jpg'), 'x')
  await writeFile(join(folder, 'in', 'upright', 'b.jpg'), 'x')
  const message = await refusal('import', name, join(folder, 'in'))
  assert.match(message, /exit code 1/)
  await rm(join(folder, 'in', 'sideways'), { recursive: true })
  await rm(join(folder, 'in', 'upright', 'b.jpg'))
})

test('with a server, the same goes through it; what it answered 201 survives SIGKILL', async () => {
  const server = await startServer(['--port', '0', ...options])
  let killed = false
  try {
    assert.equal(countsOf(await samples()), { upright: 12, 'upside-down': 12 })
    await samples('export', name, join(folder, 'out'))
    assert.equal((await readdir(join(folder, 'out'))).sort(), ['upright', 'upside-down'])
    assert.equal(await contents(join(folder, 'out')), await contents(join(folder, 'in')))
    assert.is((await samples('remove', name, '--label', 'upright')).removed.length, 12)
    assert.equal((await samples('remove', name, '--older-than', '1h')).removed, [])
    const { samples: listed } = (await (
      await fetch(`${server.url}/api/functions/${name}/samples?list=true`)
    ).json()) as { samples: { id: string }[] }
    const first = listed[0]?.id ?? ''
    assert.equal((await samples('remove', name, '--id', first)).removed, [first])
    assert.equal(countsOf(await samples('list', name)), { 'upside-down': 11 })

    const answered: string[] = []
    const url = `${server.url}/api/functions/${name}/samples?label=upright`
    // Each sends one picture after another, all of them different, until nobody answers.
    const posts = (await makeSet({ count: 8, seed: 6 })).map(async ({ image }) => {
      for (let turn = 0; ; turn += 1) {
        const body = Buffer.concat([image, Buffer.from(`picture ${turn}`)])
        const response = await fetch(url, { method: 'POST', body: new Uint8Array(body) })
        if (response.status !== 201) return
        answered.push(((await response.json()) as { id: string }).id)
        if (answered.length < 10 || killed) continue
        killed = true
        process.kill(server.pid, 'SIGKILL')
      }
    })
    await Promise.allSettled(posts)
    assert.ok(killed, `${answered.length} answered`)
    await server.stop()
    await samples('export', name, join(folder, 'after'))
    const kept = await readdir(join(folder, 'after', 'upright'))
    assert.equal(
      answered.filter(id => !kept.includes(`${id}.jpg`)),
      [],
    )
  } finally {
    if (!killed) await server.stop()
  }
})

for (const args of [['prune'], ['export'], ['remove', name], ['remove', name, '--older-than', '3 weeks']]) {
  test(`samples ${args.join(' ')} is wrong use`, async () => {
    assert.is(await runCli(['samples', ...args, ...options]), 2)
  })
}

test.run()
