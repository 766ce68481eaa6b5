import sharp, { type Sharp } from 'sharp'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { image } from '../../runtime/core/definition.ts'
import { CorunError } from '../../runtime/core/errors.ts'
import { prepareImage } from '../../runtime/images/prepare-image.ts'
import { pngBomb } from './png-bomb.ts'

const test = suite('images/prepare-image')

/** Values stay bytes, so that expectations can be read. */
const plain = { mean: 0, std: 1 / 255 }
const codeOf = (bytes: Uint8Array, input = image({ width: 8, height: 8 })) =>
  prepareImage(bytes, input).then(
    () => 'prepared',
    error => (error instanceof CorunError ? error.code : error),
  )
const near = (actual: number | undefined, expected: number, tolerance: number, what: string) =>
  assert.ok(Math.abs((actual ?? Number.NaN) - expected) <= tolerance, `${what}: ${actual}, not ${expected}`)

/** red, green / blue, white, in quarters of 16 x 16 pixels each. */
const colours = { red: [255, 0, 0], green: [0, 255, 0], blue: [0, 0, 255], white: [255, 255, 255] } as const
type Colour = keyof typeof colours
function quarters([a, b, c, d]: readonly [Colour, Colour, Colour, Colour], side = 16): Sharp {
  const rows = Array.from({ length: side * 2 }, (_, y) =>
    Array.from({ length: side * 2 }, (_, x) => colours[y < side ? (x < side ? a : b) : x < side ? c : d]),
  )
  return sharp(Uint8Array.from(rows.flat(2)), { raw: { width: side * 2, height: side * 2, channels: 3 } })
}
/** The colours in the middle of the four quarters of a prepared picture. */
async function seen(bytes: Uint8Array): Promise<(Colour | undefined)[]> {
  const { data } = await prepareImage(bytes, image({ width: 16, height: 16, ...plain }))
  return [4 * 16 + 4, 4 * 16 + 12, 12 * 16 + 4, 12 * 16 + 12].map(pixel => {
    const found = [0, 1, 2].map(channel => data[channel * 256 + pixel] ?? 0)
    const isNear = (colour: readonly number[]) =>
      colour.every((value, index) => Math.abs(value - (found[index] ?? 0)) < 40)
    return (Object.keys(colours) as Colour[]).find(name => isNear(colours[name]))
  })
}

/** How a camera stores red, green / blue, white under each orientation (EXIF 2.3, tag 0x0112). */
const stored: [number, readonly [Colour, Colour, Colour, Colour]][] = [
  [1, ['red', 'green', 'blue', 'white']],
  [2, ['green', 'red', 'white', 'blue']],
  [3, ['white', 'blue', 'green', 'red']],
  [4, ['blue', 'white', 'red', 'green']],
  [5, ['red', 'blue', 'green', 'white']],
  [6, ['green', 'white', 'red', 'blue']],
  [7, ['white', 'green', 'blue', 'red']],
  [8, ['blue', 'red', 'white', 'green']],
]
for (const [orientation, quartersAsStored] of stored) {
  test(`EXIF orientation ${orientation} is turned upright, in JPEG and WebP`, async () => {
    const picture = quarters(quartersAsStored).withMetadata({ orientation })
    assert.equal(await seen(await picture.clone().jpeg({ chromaSubsampling: '4:4:4' }).toBuffer()), [
      'red',
      'green',
      'blue',
      'white',
    ])
    assert.equal(await seen(await picture.clone().webp().toBuffer()), ['red', 'green', 'blue', 'white'])
  })
}

test('a picture on its side is measured, placed and reported upright', async () => {
  const lying = await sharp({ create: { width: 40, height: 20, channels: 3, background: '#ffffff' } })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer()
  const prepared = await prepareImage(lying, image({ width: 8, height: 8, fit: 'contain', ...plain }))
  assert.equal([prepared.width, prepared.height], [20, 40])
  const row = Array.from(prepared.data.subarray(0, 8), value => Math.round(value))
  assert.equal(row, [0, 0, 255, 255, 255, 255, 0, 0])
})

test('a picture is cropped by cover, padded by contain and stretched by fill', async () => {
  const wide = await sharp(
    Uint8Array.of(...Array(8).fill([255, 0, 0]).flat(), ...Array(8).fill([0, 0, 255]).flat()),
    {
      raw: { width: 16, height: 1, channels: 3 },
    },
  )
    .resize(64, 32, { fit: 'fill', kernel: 'nearest' })
    .png()
    .toBuffer()
  const red = async (options: Partial<Parameters<typeof image>[0]>) => {
    const { data } = await prepareImage(wide, image({ width: 4, height: 4, ...plain, ...options }))
    return Array.from(data.subarray(4, 8), value => Math.round(value))
  }
  assert.ok((await red({ fit: 'cover', position: 'left' })).every(value => value > 200))
  assert.ok((await red({ fit: 'cover', position: 'right' })).every(value => value < 55))
  const [first, second, third, fourth] = await red({ fit: 'fill' })
  assert.ok((first ?? 0) > 200 && (second ?? 0) > 200 && (third ?? 255) < 55 && (fourth ?? 255) < 55)
  const { data } = await prepareImage(
    wide,
    image({ width: 4, height: 4, ...plain, fit: 'contain', position: 'bottom', background: [7, 8, 9] }),
  )
  assert.equal(
    Array.from(data.subarray(0, 8), value => Math.round(value)),
    Array(8).fill(7),
  )
})

const solid = (options: {
  channels: 3 | 4
  background: { r: number; g: number; b: number; alpha?: number }
}) => sharp({ create: { width: 20, height: 20, ...options } })
const orange = { r: 200, g: 100, b: 50 }
const forms: [string, () => Promise<Buffer>, readonly number[]][] = [
  ['an opaque PNG', () => solid({ channels: 3, background: orange }).png().toBuffer(), [200, 100, 50]],
  [
    'a half transparent PNG, on the background',
    () =>
      solid({ channels: 4, background: { ...orange, alpha: 0.5 } })
        .png()
        .toBuffer(),
    [150, 100, 75],
  ],
  [
    'an invisible WebP, which is the background',
    () =>
      solid({ channels: 4, background: { ...orange, alpha: 0 } })
        .webp({ lossless: true, exact: true })
        .toBuffer(),
    [100, 100, 100],
  ],
  [
    'a PNG of 16 bits a channel',
    () => solid({ channels: 3, background: orange }).toColourspace('rgb16').png().toBuffer(),
    [200, 100, 50],
  ],
  [
    'a PNG of 16 bits with transparency',
    () =>
      solid({ channels: 4, background: { ...orange, alpha: 0.5 } })
        .toColourspace('rgb16')
        .png()
        .toBuffer(),
    [150, 100, 75],
  ],
  [
    'a PNG with a palette',
    () => solid({ channels: 3, background: orange }).png({ palette: true }).toBuffer(),
    [200, 100, 50],
  ],
  [
    'a gray PNG of 16 bits',
    () =>
      solid({ channels: 3, background: { r: 99, g: 99, b: 99 } })
        .toColourspace('grey16')
        .png()
        .toBuffer(),
    [99, 99, 99],
  ],
  [
    'a gray JPEG',
    () =>
      solid({ channels: 3, background: { r: 99, g: 99, b: 99 } })
        .toColourspace('b-w')
        .jpeg()
        .toBuffer(),
    [99, 99, 99],
  ],
  [
    'a CMYK JPEG, by its profile',
    () =>
      solid({ channels: 3, background: { r: 60, g: 60, b: 60 } })
        .toColourspace('cmyk')
        .jpeg({ quality: 100 })
        .toBuffer(),
    [60, 60, 60],
  ],
]
for (const [name, make, [red = 0, green = 0, blue = 0]] of forms) {
  test(`${name} becomes 8-bit red, green and blue, or gray`, async () => {
    const bytes = await make()
    const options = { width: 5, height: 5, background: [100, 100, 100] as const, ...plain }
    for (const channels of ['rgb', 'bgr', 'gray'] as const) {
      const { data, dims } = await prepareImage(bytes, image({ ...options, channels }))
      const luma = 0.299 * red + 0.587 * green + 0.114 * blue
      const expected = { rgb: [red, green, blue], bgr: [blue, green, red], gray: [luma] }[channels]
      assert.equal(dims, [1, expected.length, 5, 5])
      assert.is(data.length, expected.length * 25)
      for (const [channel, value] of expected.entries()) {
        near(
          data[channel * 25 + 12],
          value,
          name.includes('CMYK') ? 25 : 4,
          `${channels}, channel ${channel}`,
        )
      }
    }
  })
}

test('what the forms above claim to be is what they are', async () => {
  const facts = await Promise.all(
    forms.map(async ([name, make]) => [name, await sharp(await make()).metadata()] as const),
  )
  const of = (part: string) => facts.find(([name]) => name.includes(part))?.[1]
  assert.is(of('a CMYK')?.space, 'cmyk')
  assert.is(of('16 bits a channel')?.depth, 'ushort')
  assert.is(of('16 bits with')?.channels, 4)
  assert.is(of('palette')?.isPalette, true)
  assert.is(of('gray JPEG')?.channels, 1)
})

test('a bomb of 50,000 x 50,000 pixels is refused at the cost of its header', async () => {
  const bomb = pngBomb(50_000, 50_000)
  assert.ok(bomb.length < 2 ** 20, `${bomb.length} bytes`)
  const before = process.resourceUsage().maxRSS
  // Of the quickest of some tries: a busy machine stops now and then. All of the pixels take seconds each time.
  const times: number[] = []
  do {
    const startedAt = performance.now()
    assert.is(await codeOf(bomb), 'image-too-large')
    times.push(performance.now() - startedAt)
  } while (Math.min(...times) >= 500 && times.length < 20)
  assert.ok(Math.min(...times) < 500, `${times} ms`)
  assert.ok(process.resourceUsage().maxRSS - before < 50_000, 'kilobytes')
})

test('a small bomb is a whole picture, so the large one is refused for its size alone', async () => {
  assert.is(await codeOf(pngBomb(3000, 3000)), 'prepared')
})

test('the limit of pixels is the last size that is taken', async () => {
  const bytes = await solid({ channels: 3, background: orange }).png().toBuffer()
  assert.is(await codeOf(bytes, image({ width: 8, height: 8, maxPixels: 400 })), 'prepared')
  assert.is(await codeOf(bytes, image({ width: 8, height: 8, maxPixels: 399 })), 'image-too-large')
})

const noise = (side: number) =>
  sharp(
    Uint8Array.from({ length: side * side * 3 }, (_, index) => (index * index * 31 + index * 7) % 251),
    {
      raw: { width: side, height: side, channels: 3 },
    },
  )
const encoders = {
  jpeg: (picture: Sharp) => picture.jpeg().toBuffer(),
  png: (picture: Sharp) => picture.png().toBuffer(),
  webp: (picture: Sharp) => picture.webp().toBuffer(),
}
for (const [format, encode] of Object.entries(encoders)) {
  for (const part of [0.02, 0.3, 0.5, 0.8]) {
    test(`a ${format} that ends after ${part * 100} % is an invalid image`, async () => {
      const whole = await encode(noise(128))
      assert.is(await codeOf(whole), 'prepared')
      assert.is(await codeOf(whole.subarray(0, Math.floor(whole.length * part))), 'invalid-image')
    })
  }
  test(`a ${format} with a damaged header is an invalid image`, async () => {
    const whole = await encode(noise(128))
    assert.is(await codeOf(Buffer.concat([whole.subarray(0, 12), Buffer.alloc(200, 0xa5)])), 'invalid-image')
  })
}

test('a PNG with a damaged middle is an invalid image', async () => {
  const whole = await encoders.png(noise(128))
  const damaged = Buffer.from(whole).fill(0xff, whole.length >> 1, (whole.length >> 1) + 400)
  assert.is(await codeOf(damaged), 'invalid-image')
})

test("the decoder's own words stay out of the message, and are kept as the cause", async () => {
  const whole = await encoders.jpeg(noise(128))
  const error = await prepareImage(whole.subarray(0, 500), image({ width: 8, height: 8 })).catch(
    error => error,
  )
  assert.is(error.message, 'the jpeg picture is truncated or damaged')
  assert.instance(error.cause, Error)
})

const others: [string, Buffer][] = [
  ['an empty body', Buffer.alloc(0)],
  ['a GIF', Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')],
  ['an SVG', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>')],
  ['text', Buffer.from('hello')],
]
for (const [name, bytes] of others) {
  test(`${name} is of an unsupported media type`, async () => {
    assert.is(await codeOf(bytes), 'unsupported-media-type')
  })
}

test('a view into a larger buffer is read from where it begins', async () => {
  const bytes = await solid({ channels: 3, background: orange }).png().toBuffer()
  const larger = Buffer.concat([Buffer.alloc(77, 0xff), bytes, Buffer.alloc(77)])
  const view = new Uint8Array(larger.buffer, larger.byteOffset + 77, bytes.length)
  assert.is(await codeOf(view), 'prepared')
})

test('many decodes at once give what each gives alone', async () => {
  const pictures = await Promise.all(
    Array.from({ length: 60 }, (_, index) => {
      const background = { r: index * 4, g: 255 - index * 4, b: 60 }
      const picture = solid({ channels: 3, background })
      return index % 3 === 0
        ? encoders.jpeg(picture)
        : index % 3 === 1
          ? encoders.png(picture)
          : encoders.webp(picture)
    }),
  )
  const input = image({ width: 6, height: 6 })
  const alone: Float32Array[] = []
  for (const picture of pictures) alone.push((await prepareImage(picture, input)).data)
  const together = await Promise.all(pictures.map(picture => prepareImage(picture, input)))
  assert.equal(
    together.map(({ data }) => data),
    alone,
  )
})

test.run()
