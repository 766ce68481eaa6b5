/** A PNG of a few hundred kilobytes that is valid to its last byte and has as many black pixels as asked for. */
import { constants, deflateRawSync } from 'node:zlib'

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1
  return value
})
/** As PNG has it (ISO 3309); Node 20's own zlib does not show its. */
function crc32(bytes: Uint8Array): number {
  let sum = 0xffffffff
  for (const byte of bytes) sum = (table[(sum ^ byte) & 0xff] ?? 0) ^ (sum >>> 8)
  return (sum ^ 0xffffffff) >>> 0
}

const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value >>> 0)
  return bytes
}

function chunk(type: string, data: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  return Buffer.concat([uint32(data.length), body, uint32(crc32(body))])
}

/** The compressed form of `count` zero bytes: one flushed block repeated, so that nobody deflates gigabytes. */
function zeros(count: number): Buffer {
  const blockBytes = 2 ** 20
  const block = deflateRawSync(Buffer.alloc(blockBytes), { finishFlush: constants.Z_FULL_FLUSH })
  const rest = deflateRawSync(Buffer.alloc(count % blockBytes))
  const blocks = Array<Buffer>(Math.floor(count / blockBytes)).fill(block)
  const adler32 = uint32((count % 65_521) * 65_536 + 1)
  return Buffer.concat([Buffer.of(0x78, 0x9c), ...blocks, rest, adler32])
}

/** Gray, one bit a pixel. */
export function pngBomb(width: number, height: number): Buffer {
  const header = Buffer.concat([uint32(width), uint32(height), Buffer.of(1, 0, 0, 0, 0)])
  const rowBytes = 1 + Math.ceil(width / 8)
  return Buffer.concat([
    Buffer.from('89504e470d0a1a0a', 'hex'),
    chunk('IHDR', header),
    chunk('IDAT', zeros(rowBytes * height)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}
