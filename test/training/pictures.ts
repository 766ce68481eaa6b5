/** Pictures that are quick to make and to learn: bright above and dark below, or the other way round, in noise. */
import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import type { LabelledFile } from '../../runtime/core/trainer-messages.ts'

const width = 96
const height = 24

/** Labels alternate between "0", bright above, and "180". The same `seed` gives the same pictures. */
export async function writePictures(folder: string, count: number, seed: string): Promise<LabelledFile[]> {
  await mkdir(folder, { recursive: true })
  return Promise.all(
    Array.from({ length: count }, async (_, index) => {
      const label = index % 2 === 0 ? '0' : '180'
      const file = join(folder, `${seed}-${index}.png`)
      await sharp(pixels(label, `${seed} ${index}`), { raw: { width, height, channels: 1 } })
        .png()
        .toFile(file)
      return { file, label }
    }),
  )
}

function pixels(label: string, seed: string): Buffer {
  const noise = createHash('shake256', { outputLength: width * height })
    .update(seed)
    .digest()
  return Buffer.from(
    noise.map((byte, at) => byte / 4 + (at < noise.length / 2 === (label === '0') ? 150 : 40)),
  )
}
