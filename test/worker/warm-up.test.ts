import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { image } from '../../runtime/core/definition.ts'
import { imageInputSchema } from '../../runtime/core/definition-schema.ts'
import { warmUpFeeds } from '../../runtime/worker/warm-up.ts'

const test = suite('worker/warm-up')

const picture = imageInputSchema.parse(image({ width: 192, height: 48 }))
const gray = imageInputSchema.parse(image({ width: 20, height: 10, channels: 'gray' }))
const bytes = { kind: 'bytes' } as const
const port = (dims: (number | null)[], type = 'float32', name = 'x') => ({ name, type, dims })

type Inputs = Parameters<typeof warmUpFeeds>[0]['inputs']
const cases: [
  string,
  Inputs,
  Parameters<typeof warmUpFeeds>[1],
  Record<string, readonly number[]> | undefined,
][] = [
  ['a fixed shape is taken as it is', [port([1, 3, 8, 8])], bytes, { x: [1, 3, 8, 8] }],
  ['an unknown first dimension is a batch of one', [port([null, 7])], bytes, { x: [1, 7] }],
  ['unknown sides are those of the picture', [port([null, 3, null, null])], picture, { x: [1, 3, 48, 192] }],
  [
    'unknown channels are those of the picture',
    [port([null, null, null, null])],
    gray,
    { x: [1, 1, 10, 20] },
  ],
  ['sides that stay unknown give no warm-up', [port([null, 3, null, null])], bytes, undefined],
  ['other types give no warm-up', [port([1, 4], 'int64')], bytes, undefined],
  ['an unknown rank gives no warm-up', [port([], 'unknown')], bytes, undefined],
  ['every input gets its own zeros', [port([1, 2]), port([3], 'float32', 'y')], bytes, { x: [1, 2], y: [3] }],
  [
    "with several inputs none is taken for the function's picture",
    [port([null, 3, null, null]), port([1], 'float32', 'y')],
    picture,
    undefined,
  ],
  ['a scalar is one zero', [port([])], bytes, { x: [] }],
]
for (const [name, inputs, input, expected] of cases) {
  test(name, () => {
    const feeds = warmUpFeeds({ inputs }, input)
    const shapes = feeds && Object.fromEntries(Object.entries(feeds).map(([key, { dims }]) => [key, dims]))
    assert.equal(shapes, expected)
    for (const { data } of Object.values(feeds ?? {}))
      assert.not(Array.from(data, Number).some(value => value !== 0))
  })
}

test.run()
