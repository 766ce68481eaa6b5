import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import {
  type DeviceMemory,
  type DeviceMemorySources,
  parseNvidiaSmi,
  readDeviceMemory,
} from '../../runtime/device/device-memory.ts'
import { eventually } from '../eventually.ts'

const test = suite('device/device-memory')
const MiB = 2 ** 20

const nvidia = (total: number, free: number): DeviceMemory => ({
  source: 'nvidia-smi',
  totalBytes: total * MiB,
  freeBytes: free * MiB,
})

const outputs: [string, string, DeviceMemory | undefined][] = [
  ['one device', '81559, 80990\n', nvidia(81559, 80990)],
  ['units all the same', '81559 MiB, 80990 MiB\n', nvidia(81559, 80990)],
  ['the first of several', '8192, 100\n8192, 8000\n', nvidia(8192, 100)],
  ['a device without figures', '[N/A], [N/A]\n', undefined],
  ['no device', 'No devices were found\n', undefined],
  ['nothing', '', undefined],
]
for (const [name, text, expected] of outputs) {
  test(`nvidia-smi: ${name}`, () => assert.equal(parseNvidiaSmi(text), expected))
}

const nothing: DeviceMemorySources = { nvidiaSmi: async () => undefined, drm: '/nowhere', env: {} }

test('nvidia-smi is asked for the device that the engine sees first', async () => {
  let asked: readonly string[] = []
  const nvidiaSmi = async (args: readonly string[]) => {
    asked = args
    return '100, 50'
  }
  await readDeviceMemory({ ...nothing, nvidiaSmi, env: { CUDA_VISIBLE_DEVICES: '2,0' } })
  assert.ok(asked.includes('--id=2'), asked.join(' '))
  await readDeviceMemory({ ...nothing, nvidiaSmi })
  assert.not(asked.some(arg => arg.startsWith('--id')))
})

test("without nvidia-smi amdgpu's files tell, and without either nothing does", async () => {
  const drm = await mkdtemp(join(tmpdir(), 'corun-test-'))
  try {
    assert.is(await readDeviceMemory({ ...nothing, drm }), undefined)
    await mkdir(join(drm, 'card0', 'device'), { recursive: true })
    await mkdir(join(drm, 'card1', 'device'), { recursive: true })
    await writeFile(join(drm, 'card1', 'device', 'mem_info_vram_total'), '1000\n')
    await writeFile(join(drm, 'card1', 'device', 'mem_info_vram_used'), '300\n')
    assert.equal(await readDeviceMemory({ ...nothing, drm }), {
      source: 'amdgpu',
      totalBytes: 1000,
      freeBytes: 700,
    })
  } finally {
    await rm(drm, { recursive: true })
  }
})

test('the program that is first on the path is asked, and one that fails is as none', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'corun-test-'))
  const path = process.env.PATH
  const program = join(folder, 'nvidia-smi')
  try {
    await writeFile(program, '#!/bin/sh\necho "4096, 1024"\n')
    await chmod(program, 0o755)
    process.env.PATH = `${folder}${delimiter}${path}`
    // One that does not answer for some seconds, as on a busy machine, is as none.
    let told: DeviceMemory | undefined
    await eventually('it is asked', async () => {
      told = await readDeviceMemory()
      return told?.source === 'nvidia-smi'
    })
    assert.equal(told, nvidia(4096, 1024))
    await writeFile(program, '#!/bin/sh\necho "4096, 1024"\nexit 9\n')
    assert.is.not((await readDeviceMemory())?.source, 'nvidia-smi')
  } finally {
    process.env.PATH = path
    await rm(folder, { recursive: true })
  }
})

test.run()
