/**
 * The environment in which WebGPU may find a device: the system's own, else the software one that Debian's
 * chromium-common brings. VK_ICD_FILENAMES names another.
 */
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

const chromium = '/usr/lib/chromium'
const driver = join(chromium, 'vk_swiftshader_icd.json')

export const webgpuEnv = (): NodeJS.ProcessEnv => ({
  XDG_RUNTIME_DIR: tmpdir(),
  ...(existsSync(driver) ? { VK_ICD_FILENAMES: driver } : {}),
  ...process.env,
  // The loader of drivers is in the same folder, for systems that have none of their own.
  LD_LIBRARY_PATH: [process.env.LD_LIBRARY_PATH, chromium].filter(Boolean).join(delimiter),
})

export const noWebgpu = 'skipped: no WebGPU device here; VK_ICD_FILENAMES may name a software one'
