import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { eventually } from '../eventually.ts'
import { collectingLogger } from '../pool/harness.ts'
import { type Box, openBox } from './box.ts'

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

/** Saves a function, and waits until the server has looked. */
async function save(name: string, source: string) {
  await writeFile(join(box.system.config.functions, `${name}.ts`), source)
  await box.system.registry.refresh()
}
const scheduled = (schedule: string, name = 'moving') => `
  import { defineFunction } from 'corun'
  export default defineFunction({ ${schedule} fetch: (_, { trigger }) => new Response('${name} ' + trigger.kind) })`
const view = async (name: string) => (await json('GET', `/api/schedules/${name}`)).body

test('a schedule follows its function: added, changed, paused, run, broken and taken away without a restart', async () => {
  await save('moving', scheduled(''))
  assert.is((await json('GET', '/api/schedules/moving')).status, 404)
  const yearly = (month: number) => `schedule: { cron: '0 0 1 ${month} *', timeZone: 'UTC', catchUp: true },`
  const months = async () =>
    ((await view('moving')).nextRuns as string[] | undefined)?.map(at => at.slice(5, 10)) ?? []

  await save('moving', scheduled(yearly(6)))
  await eventually('it is added', async () => (await months()).join() === Array(5).fill('06-01').join())
  assert.is((await view('moving')).catchUp, true)

  await save('moving', scheduled(yearly(2)))
  await eventually('it is changed', async () => (await months()).join() === Array(5).fill('02-01').join())
  assert.is((await view('moving')).lastRun, undefined, 'a tick of the new pattern was not missed')
  assert.is((await json('POST', '/api/schedules/moving/run')).status, 202)
  await eventually(
    'it has run',
    async () => ((await view('moving')).lastRun as { outcome?: string } | undefined)?.outcome === 'ok',
  )

  assert.is((await json('POST', '/api/schedules/moving/pause')).status, 200)
  await save('moving', scheduled(yearly(3)))
  await eventually('it is changed again', async () => /1 3/.test(String((await view('moving')).cron)))
  assert.equal([(await view('moving')).paused, await months()], [true, []])
  assert.is((await json('POST', '/api/schedules/moving/resume')).status, 200)
  assert.is((await months())[0], '03-01')

  await save('moving', scheduled(`schedule: 'never',`))
  const { lastError } = (await json('GET', '/api/functions/moving')).body
  assert.is((lastError as { code: string }).code, 'invalid-definition')
  assert.is((await months())[0], '03-01', 'the last good one goes on')

  await save('moving', scheduled(''))
  await eventually('it is gone', async () => (await json('GET', '/api/schedules/moving')).status === 404)
  await save('moving', scheduled(yearly(4)))
  await eventually('it is back', async () => (await months())[0] === '04-01')
  await rm(join(box.system.config.functions, 'moving.ts'))
  await box.system.registry.refresh()
  await eventually(
    'its function is gone',
    async () => (await json('GET', '/api/schedules/moving')).status === 404,
  )
})

test.run()
