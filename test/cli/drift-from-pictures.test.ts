import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { packageRoot } from '../../runtime/core/package-root.ts'
import { eventually } from '../eventually.ts'
import { openBox } from '../http/box.ts'

const test = suite('cli/drift-from-pictures')
const shipped = join(packageRoot, 'functions/text-orientation')

test('a version that serves has its reference from pictures before its first request, by real threads', async () => {
  const source = await readFile(join(shipped, 'function.ts'), 'utf8')
  const box = await openBox({
    'lines/function.ts': source.replace(
      'defineFunction({',
      "defineFunction({ drift: { from: 'pictures', reference: 250 },",
    ),
    'lines/retrain.ts': `
      import { defineRetraining } from 'corun'
      export default defineRetraining({ model: 'orientation', reference: ${JSON.stringify(join(shipped, 'reference'))} })`,
  })
  try {
    const drift = () => box.system.drift.get('lines.orientation')
    await eventually('the reference is there', () => drift()?.reference.from === 'pictures')
    const { requests = 0, of } = drift()?.reference ?? {}
    // A third of the 600 pictures, give or take four standard deviations.
    assert.ok(requests > 150 && requests <= 250, String(requests))
    assert.is(requests, of)
    assert.equal([drift()?.requests, drift()?.level], [0, 'stable'])
    const { counters } = (await (await fetch(`${box.url}/api/functions/lines`)).json()) as {
      counters: object
    }
    assert.equal(counters, { ended: 0, failed: 0, inFlight: 0 })
    const body = await readFile(join(shipped, 'reference/upright/001.jpg'))
    const headers = { 'content-type': 'image/jpeg' }
    assert.is((await fetch(`${box.url}/fn/lines`, { method: 'POST', body, headers })).status, 200)
    assert.is(drift()?.requests, 1)
  } finally {
    await box.close()
  }
})

test.run()
