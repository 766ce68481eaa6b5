import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Placement, placementOf } from '../../runtime/images/placement.ts'

const test = suite('images/placement')

type Frame = Parameters<typeof placementOf>[1]
const frame: Frame = { width: 100, height: 50, fit: 'contain', position: 'center' }

const cases: [string, { width: number; height: number }, Partial<Frame>, Placement][] = [
  ['cover takes the whole frame', { width: 3, height: 9 }, { fit: 'cover' }, at(100, 50, 0, 0)],
  ['fill takes the whole frame', { width: 3, height: 9 }, { fit: 'fill' }, at(100, 50, 0, 0)],
  ['a picture of the same shape is only scaled', { width: 400, height: 200 }, {}, at(100, 50, 0, 0)],
  ['a small one grows to the frame', { width: 4, height: 2 }, {}, at(100, 50, 0, 0)],
  ['a tall one has padding on both sides', { width: 50, height: 50 }, {}, at(50, 50, 25, 0)],
  ['a wide one has padding above and below', { width: 400, height: 100 }, {}, at(100, 25, 0, 12)],
  ['left puts the padding right', { width: 50, height: 50 }, { position: 'left' }, at(50, 50, 0, 0)],
  ['right puts the padding left', { width: 50, height: 50 }, { position: 'right' }, at(50, 50, 50, 0)],
  ['top centres across', { width: 50, height: 50 }, { position: 'top' }, at(50, 50, 25, 0)],
  ['bottom puts the padding above', { width: 400, height: 100 }, { position: 'bottom' }, at(100, 25, 0, 25)],
  ['left centres downward', { width: 400, height: 100 }, { position: 'left' }, at(100, 25, 0, 12)],
  ['a line keeps one pixel of height', { width: 10_000, height: 1 }, {}, at(100, 1, 0, 24)],
  ['a line keeps one pixel of width', { width: 1, height: 10_000 }, {}, at(1, 50, 49, 0)],
  ['rounding never leaves the frame', { width: 999, height: 500 }, {}, at(100, 50, 0, 0)],
]

function at(width: number, height: number, left: number, top: number): Placement {
  return { width, height, left, top }
}

for (const [name, source, change, expected] of cases) {
  test(name, () => assert.equal(placementOf(source, { ...frame, ...change }), expected))
}

test.run()
