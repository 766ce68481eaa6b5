import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { threadsFor } from '../../runtime/device/session.ts'

const test = suite('device/session')

test('one thread of a process has the WebGPU device; every other provider takes as many as are asked for', () => {
  assert.is(threadsFor('webgpu', 4), 1)
  assert.equal(
    (['cpu', 'cuda', 'tensorrt', 'coreml', 'dml'] as const).map(provider => threadsFor(provider, 4)),
    [4, 4, 4, 4, 4],
  )
})

test.run()
