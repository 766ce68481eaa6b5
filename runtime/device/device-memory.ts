/** Memory of an accelerator, as its driver tells it: nvidia-smi, else amdgpu's files. Unit: bytes. */
import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

export interface DeviceMemory {
  source: 'nvidia-smi' | 'amdgpu'
  totalBytes: number
  freeBytes: number
}

export interface DeviceMemorySources {
  /** Standard output of nvidia-smi with these arguments; undefined where there is none, or it fails. */
  nvidiaSmi(args: readonly string[]): Promise<string | undefined>
  /** Where the kernel lists graphics cards. */
  drm: string
  env: Readonly<Record<string, string | undefined>>
}

const smiLimitMs = 5000

const systemSources: DeviceMemorySources = {
  nvidiaSmi: args =>
    promisify(execFile)('nvidia-smi', [...args], { timeout: smiLimitMs }).then(
      ({ stdout }) => stdout,
      () => undefined,
    ),
  drm: '/sys/class/drm',
  env: process.env,
}

/** Undefined where no driver tells: the device's memory is then the host's. */
export async function readDeviceMemory(sources = systemSources): Promise<DeviceMemory | undefined> {
  return (await readNvidia(sources)) ?? (await readAmd(sources.drm))
}

async function readNvidia({ nvidiaSmi, env }: DeviceMemorySources): Promise<DeviceMemory | undefined> {
  // The engine's device 0 is the first that is visible to it.
  const visible = env.CUDA_VISIBLE_DEVICES?.split(',')[0]?.trim()
  const which = visible ? [`--id=${visible}`] : []
  const query = ['--query-gpu=memory.total,memory.free', '--format=csv,noheader,nounits']
  return parseNvidiaSmi((await nvidiaSmi([...query, ...which])) ?? '')
}

/** From `total, free` in MiB, of the first device. */
export function parseNvidiaSmi(text: string): DeviceMemory | undefined {
  const [, total, free] = /^\s*(\d+)(?:\s*MiB)?\s*,\s*(\d+)(?:\s*MiB)?\s*$/m.exec(text) ?? []
  if (total === undefined || free === undefined) return undefined
  return { source: 'nvidia-smi', totalBytes: Number(total) * 2 ** 20, freeBytes: Number(free) * 2 ** 20 }
}

async function readAmd(drm: string): Promise<DeviceMemory | undefined> {
  const cards = (await readdir(drm).catch(() => [])).filter(name => /^card\d+$/.test(name)).sort()
  for (const card of cards) {
    const bytes = async (name: string) =>
      Number(await readFile(join(drm, card, 'device', name), 'utf8').catch(() => Number.NaN))
    const [total, used] = [await bytes('mem_info_vram_total'), await bytes('mem_info_vram_used')]
    if (total > 0 && used >= 0) return { source: 'amdgpu', totalBytes: total, freeBytes: total - used }
  }
  return undefined
}
