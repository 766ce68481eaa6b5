/** Gray as the tools make it that models are trained with: the luma of ITU-R BT.601, of gamma-coded values. */

export const lumaOf = (red: number, green: number, blue: number): number =>
  0.299 * red + 0.587 * green + 0.114 * blue

/** `rgb`: uint8, interleaved. Returns one byte a pixel, rounded, as Pillow's mode L and OpenCV's BGR2GRAY are. */
export function toLuma(rgb: Uint8Array): Uint8Array {
  const gray = new Uint8Array(rgb.length / 3)
  for (let pixel = 0, at = 0; pixel < gray.length; pixel += 1, at += 3) {
    gray[pixel] = Math.round(lumaOf(rgb[at] ?? 0, rgb[at + 1] ?? 0, rgb[at + 2] ?? 0))
  }
  return gray
}
