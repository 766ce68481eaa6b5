/** From interleaved bytes to the planar float32 tensor that models take. */
import type { ImageInput } from '../core/definition.ts'
import { lumaOf } from './luma.ts'
import type { Placement } from './placement.ts'

/** Index of each tensor channel in red, green, blue bytes. */
const channelOrder = { rgb: [0, 1, 2], bgr: [2, 1, 0], gray: [0] } as const

/**
 * value = (byte / 255 - mean) / std, channel by channel; outside the placement, that of `background`, which may
 * be a fraction of a byte. `pixels`: uint8, interleaved, 3 channels (1 for gray), of the placement's size.
 * Returns float32 `[channels, height, width]`.
 */
export function normalize(
  pixels: Uint8Array,
  placement: Placement,
  { width, height, channels, mean, std, background }: ImageInput,
): Float32Array {
  const order = channelOrder[channels]
  const stride = order.length
  const plane = width * height
  const tensor = new Float32Array(stride * plane)
  const covered = placement.width * placement.height === plane
  const table = new Float32Array(256)
  for (const [channel, source] of order.entries()) {
    const shift = mean[channel] ?? 0
    const scale = std[channel] ?? 1
    const value = (byte: number) => (byte / 255 - shift) / scale
    for (let byte = 0; byte < 256; byte += 1) table[byte] = value(byte)
    const start = channel * plane
    if (!covered) tensor.fill(value(backgroundOf(background, channels, source)), start, start + plane)
    let from = source
    for (let row = 0; row < placement.height; row += 1) {
      const first = start + (placement.top + row) * width + placement.left
      for (let to = first; to < first + placement.width; to += 1, from += stride) {
        tensor[to] = table[pixels[from] ?? 0] ?? 0
      }
    }
  }
  return tensor
}

/** Of a colour, the same gray that pixels of it become. */
function backgroundOf(
  background: ImageInput['background'],
  channels: ImageInput['channels'],
  source: number,
): number {
  const [red, green, blue] = background
  return channels === 'gray' ? lumaOf(red, green, blue) : (background[source] ?? 0)
}
