import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Validator } from '@seriousme/openapi-schema-validator'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type Box, openBox } from './box.ts'

const test = suite('http/openapi')

let box: Box
test.before(async () => {
  box = await openBox({
    picture: `
      import { defineFunction, image } from 'corun'
      export default defineFunction({ input: image({ width: 2, height: 2 }), batch: { max: 4 }, handler: pixels => [...pixels.dims] })`,
    typed: `
      import { defineFunction } from 'corun'
      import { z } from 'zod'
      export default defineFunction({
        description: 'Adds one',
        auth: 'key',
        input: z.object({ n: z.number(), when: z.date().optional() }),
        output: z.object({ n: z.number() }),
        handler: ({ n }) => ({ n: n + 1 }),
      })`,
    web: `export default () => new Response('hi')`,
  })
})
test.after(() => box.close())

interface Schema {
  type?: string
  properties?: Record<string, Schema>
  required?: string[]
}
interface Operation {
  operationId: string
  summary: string
  security?: object[]
  requestBody?: { content: Record<string, { schema: Schema }> }
  responses: Record<string, { content?: Record<string, { schema: Schema }> }>
}
interface Document {
  openapi: string
  paths: Record<string, Record<string, Operation>>
}
const read = async () => (await (await fetch(`${box.url}/openapi.json`)).json()) as Document

test('the document is valid OpenAPI 3.1, by a validator of others', async () => {
  const document = await read()
  const validator = new Validator()
  const { valid, errors } = await validator.validate({ ...document })
  assert.ok(valid, JSON.stringify(errors))
  assert.is(validator.version, '3.1')
})

test('every operation has a name of its own', async () => {
  const names = Object.values((await read()).paths).flatMap(path =>
    Object.values(path).map(({ operationId }) => operationId),
  )
  assert.is(new Set(names).size, names.length)
})

test('every route of the contract is in it', async () => {
  const { paths } = await read()
  for (const [path, method] of [
    ['/invocations/{id}', 'get'],
    ['/api/functions', 'get'],
    ['/api/functions/{name}', 'get'],
    ['/api/functions/{name}/samples', 'post'],
    ['/api/models', 'get'],
    ['/api/models/{id}', 'get'],
    ['/api/models/{id}/promote', 'post'],
    ['/api/models/{id}/rollback', 'post'],
    ['/api/retraining', 'get'],
    ['/api/retraining/{name}/run', 'post'],
    ['/api/retraining/{name}/pause', 'post'],
    ['/api/retraining/{name}/resume', 'post'],
    ['/api/retraining/{name}/cancel', 'post'],
    ['/api/profile', 'get'],
    ['/healthz', 'get'],
    ['/readyz', 'get'],
    ['/metrics', 'get'],
    ['/openapi.json', 'get'],
  ] as const) {
    assert.ok(paths[path]?.[method], `${method} ${path}`)
  }
})

test('functions are in it as they declare themselves', async () => {
  const { paths } = await read()
  const typed = paths['/fn/typed']?.post
  assert.is(typed?.summary, 'Adds one')
  assert.equal(typed?.requestBody?.content['application/json']?.schema.required, ['n'])
  assert.is(typed?.responses[200]?.content?.['application/json']?.schema.properties?.n?.type, 'number')
  assert.equal(typed?.security, [{ functionKey: [] }, { functionKeyHeader: [] }])
  const picture = paths['/fn/picture']?.post?.requestBody?.content ?? {}
  assert.equal(Object.keys(picture), [
    'image/jpeg',
    'image/png',
    'image/webp',
    'multipart/form-data',
    'application/json',
  ])
  assert.equal(Object.keys(paths['/fn/web'] ?? {}), ['get', 'post', 'put', 'patch', 'delete'])
})

test('what the API answers fits what the document says', async () => {
  const { paths } = await read()
  for (const path of [
    '/api/functions',
    '/api/models',
    '/api/retraining',
    '/api/schedules',
    '/api/keys',
    '/api/profile',
  ]) {
    const answer = (await (await fetch(`${box.url}${path}`)).json()) as Record<string, unknown>
    const schema = paths[path]?.get?.responses[200]?.content?.['application/json']?.schema
    for (const name of schema?.required ?? ['missing in the document']) {
      assert.ok(name in answer, `${path}: ${name}`)
    }
  }
})

test('it follows the functions', async () => {
  const folder = box.system.config.functions
  await writeFile(join(folder, 'late.ts'), `export default () => new Response('late')`)
  await box.system.registry.refresh()
  assert.ok((await read()).paths['/fn/late'])
  await rm(join(folder, 'late.ts'))
  await box.system.registry.refresh()
  assert.is((await read()).paths['/fn/late'], undefined)
})

test.run()
