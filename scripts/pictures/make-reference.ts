// Writes the pictures that functions/text-orientation must not forget: `node --import tsx scripts/pictures/make-reference.ts`.
// Their words and fonts are those of training, so the held-out ones stay unseen.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { labels } from './draw-line.ts'
import { makeSet } from './make-set.ts'

const count = 600
// They are kept in the repository: a larger one shrinks to the 48 rows that the model sees.
const mostBytes = 3000

const folder = join(packageRoot, 'functions/text-orientation/reference')
for (const label of labels) await mkdir(join(folder, label), { recursive: true })

let totalBytes = 0
for (const [index, { image, label }] of (await makeSet({ count, seed: 1 })).entries()) {
  const small = await shrunk(image)
  totalBytes += small.length
  const number = String(Math.floor(index / labels.length)).padStart(3, '0')
  await writeFile(join(folder, label, `${number}.jpg`), small)
}
console.log(`${count} pictures, ${totalBytes} bytes, in ${folder}`)

async function shrunk(image: Buffer): Promise<Buffer> {
  let smaller = image
  for (let quality = 82; smaller.length > mostBytes && quality > 20; quality -= 6) {
    smaller = await sharp(image).resize({ height: 48, withoutEnlargement: true }).jpeg({ quality }).toBuffer()
  }
  return smaller
}
