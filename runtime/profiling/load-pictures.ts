/** What a probe sends to a function: pictures of its own reference set, else drawn noise in a camera's size. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'

const pictures = /\.(jpe?g|png|webp)$/i
const most = 64

/** Files of pictures. `scratch` is a folder for one that has to be made. */
export async function loadPictures(referenceFolder: string | undefined, scratch: string): Promise<string[]> {
  const found = referenceFolder === undefined ? [] : await readdir(referenceFolder, { recursive: true })
  const files = found.filter(name => pictures.test(name)).sort()
  if (referenceFolder !== undefined && files.length > 0) {
    // Spread over the folder, so that every label is among them.
    const stride = Math.max(1, Math.floor(files.length / most))
    return files.filter((_, index) => index % stride === 0).map(name => join(referenceFolder, name))
  }
  const file = join(scratch, 'camera.jpg')
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const
  const frame = sharp({ create: { width: 1280, height: 800, channels: 3, background: '#808080', noise } })
  await writeFile(file, await frame.blur(2).jpeg({ quality: 85 }).toBuffer())
  return [file]
}
