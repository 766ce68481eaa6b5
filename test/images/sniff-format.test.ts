import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { sniffFormat } from '../../runtime/images/sniff-format.ts'

const test = suite('images/sniff-format')

const cases: [string, Buffer, ReturnType<typeof sniffFormat>][] = [
  ['jpeg with JFIF', Buffer.from('ffd8ffe000104a464946', 'hex'), 'jpeg'],
  ['jpeg with EXIF', Buffer.from('ffd8ffe1', 'hex'), 'jpeg'],
  ['jpeg of three bytes', Buffer.from('ffd8ff', 'hex'), 'jpeg'],
  ['jpeg cut short', Buffer.from('ffd8', 'hex'), undefined],
  ['png', Buffer.from('89504e470d0a1a0a0000000d', 'hex'), 'png'],
  ['png whose line ends were translated', Buffer.from('89504e470a1a0a', 'hex'), undefined],
  ['webp', Buffer.from('RIFF\x10\0\0\0WEBPVP8 ', 'latin1'), 'webp'],
  ['another RIFF file', Buffer.from('RIFF\x10\0\0\0WAVEfmt ', 'latin1'), undefined],
  ['RIFF cut short', Buffer.from('RIFF\x10\0\0\0WEB', 'latin1'), undefined],
  ['gif', Buffer.from('GIF89a'), undefined],
  ['svg', Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"/>'), undefined],
  ['tiff', Buffer.from('II*\0', 'latin1'), undefined],
  ['heic', Buffer.from('\0\0\0\x18ftypheic', 'latin1'), undefined],
  ['text', Buffer.from('hello'), undefined],
  ['a signature that does not come first', Buffer.from('20ffd8ff', 'hex'), undefined],
  ['nothing', Buffer.alloc(0), undefined],
]
for (const [name, bytes, expected] of cases) {
  test(`${name} is ${expected ?? 'no picture that is taken'}`, () => assert.is(sniffFormat(bytes), expected))
}

test.run()
