import { spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { builtEntry } from '../../runtime/core/package-root.ts'

const test = suite('cli/commands')

interface Outcome {
  code: number | null
  stdout: string
  stderr: string
}

function corun(args: string[], env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise(resolve => {
    const child = spawn(process.execPath, [builtEntry('main'), ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', text => {
      stdout += text
    })
    child.stderr.setEncoding('utf8').on('data', text => {
      stderr += text
    })
    child.once('close', code => resolve({ code, stdout, stderr }))
  })
}

const wrongUse: [string, string[], RegExp][] = [
  ['an unknown command', ['sevre'], /no command "sevre"/],
  ['an unknown option', ['serve', '--prot', '1'], /no option "--prot"/],
  ['a port that is none', ['serve', '--port', 'http'], /port/],
  ['an unknown provider', ['serve', '--provider', 'quantum'], /provider/],
  ['a host that others can reach, without an admin token', ['serve', '--host', '0.0.0.0'], /admin token/],
  ['a missing argument', ['retrain'], /FUNCTION/],
  ['an argument too many', ['functions', 'hello'], /takes 0 arguments/],
  ['a promotion without a version', ['models', '--promote', 'a.b'], /go together/],
  ['an action that is none', ['keys', 'print'], /expected make, list or revoke/],
  ['a key for nothing', ['keys', 'make'], /expected the name of a function/],
  ['an option whose value was forgotten', ['models', '--rollback'], /--rollback needs a value/],
  ['one before another option', ['samples', 'remove', 'a', '--label', '--json'], /--label needs a value/],
  [
    'an option that is given twice',
    ['samples', 'remove', 'a', '--label', 'b', '--label', 'c'],
    /given twice/,
  ],
  ['a folder to remove from', ['samples', 'remove', 'a', 'b', '--older-than', '1d'], /takes no folder, "b"/],
  [
    'an export of one label',
    ['samples', 'export', 'a', 'b', '--label', 'c'],
    /export takes no --id, --label/,
  ],
  [
    'a version that is none',
    ['models', '--promote', 'a.b', '--to', 'abc'],
    /--to "abc": expected the SHA-256/,
  ],
  [
    'a data directory that is a file',
    ['functions', '--data', 'package.json'],
    /package\.json cannot be used/,
  ],
  [
    'an address that this box does not have',
    [
      'serve',
      '--host',
      '192.0.2.1',
      '--port',
      '0',
      '--admin-token',
      'a-long-enough-token',
      '--data',
      join(tmpdir(), 'corun-no-address'),
    ],
    /192\.0\.2\.1:0 cannot be listened on/,
  ],
  [
    'a bound that is none',
    ['profile', '--latency-bound', 'fast'],
    /--latency-bound is "fast"; expected a multiple/,
  ],
]
for (const [name, args, message] of wrongUse) {
  test(`${name} is wrong use: exit code 2 and a message that names it`, async () => {
    const { code, stdout, stderr } = await corun(args)
    assert.is(code, 2, stderr)
    assert.is(stdout, '')
    assert.match(stderr, message)
  })
}

test('a functions folder that is not there is named, and nothing is left behind', async () => {
  const data = await mkdtemp(join(tmpdir(), 'corun-test-'))
  try {
    const { code, stderr } = await corun(['serve', '--port', '0', '--data', data, '--functions', '/nowhere'])
    assert.is(code, 2)
    assert.match(stderr, /functions folder \/nowhere cannot be read/)
    assert.not.ok((await readdir(data)).includes('lock.json'))
  } finally {
    await rm(data, { recursive: true, force: true })
  }
})

test('a wrong environment twin is named by its option', async () => {
  const { code, stderr } = await corun(['serve'], { CORUN_PORT: '70000' })
  assert.is(code, 2)
  assert.match(stderr, /port/)
})

test('help and version exit with 0', async () => {
  const help = await corun(['--help'])
  assert.is(help.code, 0)
  // Colours are for terminals alone, whatever the environment asks of libraries.
  assert.not.match((await corun(['--help'], { FORCE_COLOR: '1' })).stdout, '\x1b')
  for (const name of ['serve', 'profile', 'retrain', 'functions', 'models', 'doctor', 'bench', 'demo'])
    assert.match(help.stdout, name)
  assert.match((await corun(['serve', '--help'])).stdout, /CORUN_PORT/)
  assert.match((await corun(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/)
})

test('functions lists what is deployed as JSON, without a server', async () => {
  const data = await mkdtemp(join(tmpdir(), 'corun-test-'))
  try {
    const { code, stdout } = await corun(['functions', '--json', '--data', data])
    assert.is(code, 0)
    const { functions } = JSON.parse(stdout) as { functions: { name: string; state: string }[] }
    assert.equal(
      functions.map(({ name, state }) => `${name} ${state}`),
      ['faces ready', 'hello ready', 'ocr ready', 'scene ready', 'text-orientation ready'],
    )
  } finally {
    await rm(data, { recursive: true, force: true })
  }
})

test('the log of a function that is not there and has left no line is refused, and not waited for', async () => {
  const data = await mkdtemp(join(tmpdir(), 'corun-test-'))
  try {
    for (const more of [[], ['--follow']]) {
      const { code, stdout, stderr } = await corun(['logs', 'helo', '--data', data, ...more])
      assert.equal([code, stdout], [1, ''])
      assert.match(stderr, /unknown-function: there is no function "helo"/)
    }
    assert.is((await corun(['logs', 'hello', '--data', data])).code, 0)
  } finally {
    await rm(data, { recursive: true, force: true })
  }
})

test('doctor says what was chosen and why, and exits with 1 while something needs a look', async () => {
  const data = await mkdtemp(join(tmpdir(), 'corun-test-'))
  try {
    const { code, stdout } = await corun(['doctor', '--data', data, '--profiles', join(data, 'none')])
    assert.is(code, 1)
    assert.match(stdout, /ok +execution provider +cpu \(/)
    assert.match(stdout, /LOOK +profile +no profile fits this box/)
    assert.match(stdout, /ok +function text-orientation +ready/)
  } finally {
    await rm(data, { recursive: true, force: true })
  }
})

test('keys are made, listed and revoked without a server', async () => {
  const data = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const keys = async (...args: string[]) => {
    const { code, stdout, stderr } = await corun(['keys', ...args, '--data', data, '--json'])
    assert.is(code, 0, stderr)
    return JSON.parse(stdout)
  }
  try {
    const { id, key } = await keys('make', 'scene', '--note', 'phone')
    assert.match(key, /^corun_[\w-]{43}$/)
    const { keys: listed } = await keys('list')
    assert.equal([listed.length, listed[0].id, listed[0].note, listed[0].key], [1, id, 'phone', undefined])
    await keys('revoke', id)
    assert.equal((await keys('list')).keys, [])
    assert.is((await corun(['keys', 'revoke', id, '--data', data])).code, 1)
  } finally {
    await rm(data, { recursive: true, force: true })
  }
})

test.run()
