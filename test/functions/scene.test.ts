import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { subjects } from '../../scripts/pictures/subject.ts'
import { codeOf, jsonOf, workbench } from '../pool/harness.ts'

const test = suite('functions/scene')
const subject = subjects.scene()

test('every place is told indoors or outdoors from directions that it was never shown from', async () => {
  const bench = await workbench({ threads: 1 })
  try {
    const deployment = await bench.deployShipped('scene')
    assert.is(codeOf(await bench.invoke(deployment, { body: new Uint8Array(9) })), 'unsupported-media-type')
    const pictures = await subject.draw({ count: 18, seed: 31, use: 'judge' })
    const wrong: unknown[] = []
    for (const { image, label } of pictures) {
      const answer = jsonOf(await bench.invoke(deployment, { body: new Uint8Array(image) }, 60_000))
      assert.ok(answer.score > 0.5 && answer.score <= 1)
      if (answer.label !== label) wrong.push({ label, answer })
    }
    assert.ok(wrong.length <= 3, JSON.stringify(wrong))
  } finally {
    await bench.close()
  }
})

test.run()
