import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { collectingLogger } from '../pool/harness.ts'
import { type Box, eventually, openBox } from './box.ts'

const test = suite('http/clock-and-log')

const { log, lines } = collectingLogger()
const functionLines: string[] = []
let box: Box
test.before(async () => {
  box = await openBox(
    {
      report: `
        import { defineFunction } from 'corun'
        export default defineFunction({
          schedule: { cron: '0 3 * * *', timeZone: 'Europe/Berlin' },
          fetch(request, { trigger, log }) {
            log.info('called', { trigger })
            return new Response(trigger.kind)
          },
        })`,
      wrong: `
        import { defineFunction } from 'corun'
        export default defineFunction({ schedule: '61 * * * *', handler: () => 1 })`,
    },
    { logLevel: 'info' },
    log,
    line => functionLines.push(line),
  )
})
test.after(() => box.close())

const json = async (method: string, path: string) => {
  const response = await fetch(`${box.url}${path}`, { method })
  // Each test knows which of these its answer has.
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
const parsed = (list: readonly string[]) => list.map(line => JSON.parse(line) as Record<string, unknown>)

test('a schedule is listed with its next runs, in the time of its zone', async () => {
  const { body } = await json('GET', '/api/schedules/report')
  assert.is((body.nextRuns as string[]).length, 5)
  const hours = (body.nextRuns as string[]).map(at =>
    new Intl.DateTimeFormat('en', { hour: 'numeric', hour12: false, timeZone: 'Europe/Berlin' }).format(
      new Date(at),
    ),
  )
  assert.equal(new Set(hours), new Set(['03']))
  assert.is((await json('GET', '/api/schedules/nothing')).status, 404)
})

test('a call by hand goes through the dispatcher, and the function is told that the clock calls', async () => {
  assert.is((await json('POST', '/api/schedules/report/run')).status, 202)
  await eventually('it has ended', async () => {
    const { lastRun } = (await json('GET', '/api/schedules/report')).body
    return (lastRun as { outcome: string } | undefined)?.outcome === 'ok'
  })
  await eventually('its line has come', () => functionLines.some(line => /"kind":"schedule"/.test(line)))
  const { ended } = box.system.dispatcher.counters('report')
  assert.ok(ended >= 1)
})

test('a pattern that croner cannot read is a definition that is not valid', async () => {
  const { body } = await json('GET', '/api/functions/wrong')
  const { code, message } = body.lastError as { code: string; message: string }
  assert.is(code, 'invalid-definition')
  assert.match(message, /61 \* \* \* \*/)
})

test("a request is one line of the log, and the function's own lines carry its id", async () => {
  const response = await fetch(`${box.url}/fn/report`, { headers: { 'x-request-id': 'mine-1' } })
  assert.is(await response.text(), 'http')
  const own = parsed(lines).filter(line => line.requestId === 'mine-1')
  assert.is(own.length, 1)
  const { function: name, deployment, outcome, queueMs, runMs, msg } = own[0] ?? {}
  assert.equal([name, outcome, msg], ['report', 'ok', 'invocation'])
  assert.is(deployment, response.headers.get('x-corun-version'))
  assert.type(queueMs, 'number')
  assert.type(runMs, 'number')
  await eventually('its line has come', () => functionLines.some(line => /mine-1/.test(line)))
  const written = parsed(functionLines).find(line => line.requestId === 'mine-1')
  assert.equal([written?.msg, written?.function, written?.trigger], ['called', 'report', { kind: 'http' }])
})

test.run()
