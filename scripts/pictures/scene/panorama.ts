/** The places: the HDR panoramas of `@pmndrs/assets` (CC0), light as it was, all around. */
import { createRequire } from 'node:module'
import parseExr from 'parse-exr'

export interface Panorama {
  width: number
  height: number
  /** Linear light, red, green, blue; never negative. Row 0 is the top. float32 [height, width, 3] */
  light: Float32Array
}

const require = createRequire(import.meta.url)
const floats = 1015

/** Reads one by its name in the package, such as `forest`. */
async function readPanorama(name: string): Promise<Panorama> {
  const module: { default: string } = await import(require.resolve(`@pmndrs/assets/hdri/${name}.exr.js`))
  const file = Buffer.from(module.default.slice(module.default.indexOf(',') + 1), 'base64')
  // A copy, because a small Buffer is a part of a larger ArrayBuffer.
  const { width, height, data } = parseExr(new Uint8Array(file).buffer, floats)
  const light = new Float32Array(width * height * 3)
  for (let row = 0, at = 0; row < height; row += 1) {
    // The file begins at the bottom.
    const start = (height - 1 - row) * width * 4
    for (let from = start; from < start + width * 4; from += 4) {
      for (let channel = 0; channel < 3; channel += 1, at += 1) {
        const value = data[from + channel] ?? 0
        light[at] = Number.isFinite(value) ? Math.max(0, value) : 0
      }
    }
  }
  return { width, height, light }
}

/** Panoramas by name, each read once and kept: 1.5 MiB each. */
export type Gallery = (name: string) => Promise<Panorama>

export function openGallery(): Gallery {
  const known = new Map<string, Promise<Panorama>>()
  return name => {
    const panorama = known.get(name) ?? readPanorama(name)
    known.set(name, panorama)
    return panorama
  }
}
