/** Bodies that are no picture to decode, each in its own way. */
import sharp from 'sharp'
import { pngBomb } from '../images/png-bomb.ts'

export async function malformedBodies(jpeg: Uint8Array): Promise<[string, Uint8Array][]> {
  const picture = sharp({
    create: {
      width: 64,
      height: 64,
      channels: 3,
      background: '#808080',
      noise: { type: 'gaussian', mean: 128, sigma: 40 },
    },
  })
  const png = await picture.clone().png().toBuffer()
  const webp = await picture.clone().webp().toBuffer()
  const cut = (bytes: Uint8Array, part: number) => bytes.subarray(0, Math.floor(bytes.length * part))
  const overwritten = (bytes: Uint8Array, at: number, count: number, value: number) =>
    Uint8Array.from(bytes).fill(value, at, at + count)
  const text = (value: string) => new TextEncoder().encode(value)
  return [
    ['nothing', new Uint8Array()],
    ['one byte', Uint8Array.of(0xff)],
    ['a JPEG signature alone', Uint8Array.of(0xff, 0xd8, 0xff)],
    ['a PNG signature alone', png.subarray(0, 8)],
    ['a WebP signature alone', webp.subarray(0, 12)],
    ['half a JPEG', cut(jpeg, 0.5)],
    ['most of a JPEG', cut(jpeg, 0.9)],
    ['half a PNG', cut(png, 0.5)],
    ['half a WebP', cut(webp, 0.5)],
    ['a JPEG without its tables', overwritten(jpeg, 20, 300, 0)],
    ['a JPEG behind text', Buffer.concat([text('hello'), jpeg])],
    ['a PNG with a broken header', overwritten(png, 16, 8, 0xff)],
    ['a PNG of no size', overwritten(png, 16, 8, 0)],
    ['a PNG with broken data', overwritten(png, png.length >> 1, 200, 0)],
    ['a WebP with broken data', overwritten(webp, 30, webp.length - 30, 0xff)],
    ['a bomb', pngBomb(50_000, 50_000)],
    ['zeros', new Uint8Array(5000)],
    ['noise', Uint8Array.from({ length: 5000 }, (_, index) => (index * index * 7919) % 251)],
    ['text', text('hello')],
    ['JSON', text('{"image": "…"}')],
    ['base64', text(Buffer.from(jpeg).toString('base64'))],
    ['a form', text('--x\r\nContent-Disposition: form-data; name="file"\r\n\r\n')],
    ['an SVG', text('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>')],
    ['a GIF', Buffer.from('R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7', 'base64')],
    ['a TIFF', await picture.clone().tiff().toBuffer()],
  ]
}
