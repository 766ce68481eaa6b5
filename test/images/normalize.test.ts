import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type ImageInput, type ImageOptions, image } from '../../runtime/core/definition.ts'
import { toLuma } from '../../runtime/images/luma.ts'
import { normalize } from '../../runtime/images/normalize.ts'
import { placementOf } from '../../runtime/images/placement.ts'

const test = suite('images/normalize')

/** Bytes that repeat in no plane. */
const bytes = (count: number) => Uint8Array.from({ length: count }, (_, index) => (index * 73 + 11) % 256)

/** Slow and plain, in float64: pixel by pixel of the frame, channel by channel. */
function expected(
  pixels: Uint8Array,
  source: { width: number; height: number },
  input: ImageInput,
): number[] {
  const { width, height, channels, mean, std, background } = input
  const place = placementOf(source, input)
  const names = { rgb: ['r', 'g', 'b'], bgr: ['b', 'g', 'r'], gray: ['gray'] }[channels]
  const [r, g, b] = background
  const padding: Record<string, number> = { r, g, b, gray: 0.299 * r + 0.587 * g + 0.114 * b }
  const values: number[] = []
  for (const [channel, name] of names.entries()) {
    for (let y = 0; y < height; y += 1) {
      for (let x = 0; x < width; x += 1) {
        const [px, py] = [x - place.left, y - place.top]
        const inside = px >= 0 && py >= 0 && px < place.width && py < place.height
        const offset = name === 'gray' ? 0 : ['r', 'g', 'b'].indexOf(name)
        const byte = inside ? pixels[(py * place.width + px) * names.length + offset] : padding[name]
        values.push((Number(byte) / 255 - Number(mean[channel])) / Number(std[channel]))
      }
    }
  }
  return values
}

const three = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
const one = { mean: 0.5, std: 0.25 }
const cases: [string, ImageOptions, { width: number; height: number }][] = [
  ['rgb, whole frame', { width: 7, height: 5, ...three }, { width: 1, height: 1 }],
  ['bgr, whole frame', { width: 7, height: 5, channels: 'bgr', ...three }, { width: 1, height: 1 }],
  ['gray, whole frame', { width: 7, height: 5, channels: 'gray', ...one }, { width: 1, height: 1 }],
  ...(['left', 'center', 'right'] as const).flatMap(position =>
    (['rgb', 'bgr', 'gray'] as const).map(
      channels =>
        [
          `${channels}, contained at the ${position}, on a background between bytes`,
          {
            width: 9,
            height: 4,
            fit: 'contain',
            position,
            channels,
            background: [123.675, 116.28, 103.53],
            ...(channels === 'gray' ? one : three),
          },
          { width: 50, height: 40 },
        ] as [string, ImageOptions, { width: number; height: number }],
    ),
  ),
  [
    'rgb, contained at the bottom',
    { width: 4, height: 9, fit: 'contain', position: 'bottom' },
    { width: 4, height: 3 },
  ],
]
for (const [name, options, source] of cases) {
  test(`${name}: every value is (byte / 255 - mean) / std of its channel`, () => {
    const input = image(options)
    const place = placementOf(source, input)
    const pixels = bytes(place.width * place.height * (input.channels === 'gray' ? 1 : 3))
    const values = normalize(pixels, place, input)
    assert.equal(Array.from(values), Array.from(Float32Array.from(expected(pixels, source, input))))
  })
}

test('gray is the rounded luma of gamma-coded red, green and blue', () => {
  const rgb = Uint8Array.of(255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255, 90, 90, 90, 1, 2, 3)
  assert.equal(Array.from(toLuma(rgb)), [76, 150, 29, 255, 90, 2])
})

test.run()
