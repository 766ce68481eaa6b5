/**
 * The one place that decodes pictures, for requests as for training: what a model learns from is, pixel for
 * pixel, what it will be asked about.
 */
import type { Metadata } from 'sharp'
import type { ImageInput } from '../core/definition.ts'
import { CorunError } from '../core/errors.ts'
import { toLuma } from './luma.ts'
import { normalize } from './normalize.ts'
import { placementOf } from './placement.ts'
import { type ImageFormat, sniffFormat } from './sniff-format.ts'

let opening: Promise<typeof import('sharp').default> | undefined

/** Imports the decoder, once: it is most of what a thread's start would take. */
export function openDecoder(): Promise<typeof import('sharp').default> {
  opening ??= import('sharp').then(({ default: sharp }) => {
    // Concurrency comes from the pool; a decoder that threads by itself would take the cores of other requests.
    sharp.concurrency(1)
    sharp.cache(false)
    return sharp
  })
  return opening
}

export interface PreparedImage {
  /** float32 [1, channels, height, width] of the input. */
  data: Float32Array
  dims: [1, number, number, number]
  format: ImageFormat
  /** Of the picture as it came, upright. */
  width: number
  height: number
}

/** Throws `unsupported-media-type`, `image-too-large` or `invalid-image`. */
export async function prepareImage(bytes: Uint8Array, input: ImageInput): Promise<PreparedImage> {
  const format = sniffFormat(bytes)
  if (format === undefined) {
    const found = bytes.byteLength === 0 ? 'the body is empty' : 'the body is no JPEG, PNG or WebP picture'
    throw new CorunError('unsupported-media-type', found)
  }
  const sharp = await openDecoder()
  const decoder = sharp(bytes, { failOn: 'error', limitInputPixels: false, autoOrient: true })
  const { width, height } = sizeOf(await decoder.metadata().catch(damaged(format)), format)
  if (width * height > input.maxPixels) {
    throw new CorunError(
      'image-too-large',
      `the picture has ${width} x ${height} pixels; expected at most ${input.maxPixels} in all`,
    )
  }
  const placement = placementOf({ width, height }, input)
  const [red, green, blue] = input.background
  const pixels = await decoder
    .flatten({ background: { r: red, g: green, b: blue } })
    .resize(placement.width, placement.height, {
      fit: input.fit === 'cover' ? 'cover' : 'fill',
      position: input.position,
    })
    .toColourspace('srgb')
    .raw({ depth: 'uchar' })
    .toBuffer()
    .catch(damaged(format))
  const gray = input.channels === 'gray'
  return {
    data: normalize(gray ? toLuma(pixels) : pixels, placement, input),
    dims: [1, gray ? 1 : 3, input.height, input.width],
    format,
    width,
    height,
  }
}

/** The size before decoding, so that a bomb is refused at the cost of its header. */
function sizeOf({ autoOrient }: Metadata, format: ImageFormat): { width: number; height: number } {
  const { width, height } = autoOrient
  if (!(width > 0 && height > 0)) throw new CorunError('invalid-image', `the ${format} picture has no size`)
  return { width, height }
}

/** The decoder's own words name its internals; they are kept as the cause, for the log. */
const damaged =
  (format: ImageFormat) =>
  (cause: unknown): never => {
    throw new CorunError('invalid-image', `the ${format} picture is truncated or damaged`, { cause })
  }
