/** Photographs with faces: those of the package `@vladmandic/face-api`, and as another camera would have taken them. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import sharp from 'sharp'
import { packageRoot } from '../../runtime/core/package-root.ts'

export const photographs = 6

/** `index` from 1. JPEG. */
export const photograph = (index: number): Promise<Buffer> =>
  readFile(join(packageRoot, `node_modules/@vladmandic/face-api/demo/sample${index}.jpg`))

/** Retakes of a photograph; where its things lie stays the same in shares of its sides, but for `mirrored`. */
export const retakes: Record<string, (photo: Buffer) => Promise<Buffer>> = {
  smaller: photo => sharp(photo).resize({ width: 1200 }).jpeg({ quality: 70 }).toBuffer(),
  darker: photo => sharp(photo).linear(0.45, 4).jpeg({ quality: 80 }).toBuffer(),
  brighter: photo => sharp(photo).linear(1.35, 10).jpeg({ quality: 80 }).toBuffer(),
  warmer: photo => sharp(photo).linear([1.15, 1, 0.75], [0, 0, 0]).jpeg({ quality: 80 }).toBuffer(),
  blurred: photo => sharp(photo).blur(4).jpeg({ quality: 80 }).toBuffer(),
  compressed: photo => sharp(photo).resize({ width: 960 }).jpeg({ quality: 25 }).toBuffer(),
  mirrored: photo => sharp(photo).flop().jpeg({ quality: 90 }).toBuffer(),
}
