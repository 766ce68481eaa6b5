/** What is kept of an asynchronous invocation, and what a caller sees of it. Pure. */
import { z } from 'zod'

export const requestRecordSchema = z.object({
  version: z.literal(1),
  id: z.string(),
  function: z.string(),
  requestId: z.string(),
  method: z.string(),
  url: z.string(),
  headers: z.array(z.tuple([z.string(), z.string()])),
  createdAt: z.string(),
  /** Who asks for the result needs a key of the function, as its caller did. */
  auth: z.literal('key').optional(),
  /** Where the result is posted. */
  callback: z.string().optional(),
})
export type RequestRecord = z.output<typeof requestRecordSchema>

export const resultRecordSchema = z.object({
  version: z.literal(1),
  request: requestRecordSchema,
  finishedAt: z.string(),
  deployment: z.string().optional(),
  queueMs: z.number().optional(),
  runMs: z.number().optional(),
  /** Of the answer. Left out when there is none, and `problem` says why. */
  head: z.object({ status: z.int(), headers: z.array(z.tuple([z.string(), z.string()])) }).optional(),
  problem: z.record(z.string(), z.unknown()).optional(),
})
export type ResultRecord = z.output<typeof resultRecordSchema>

export const callbackRecordSchema = z.object({
  version: z.literal(1),
  state: z.enum(['pending', 'delivered', 'failed']),
  attempts: z.int(),
  /** Status of the last attempt, or why there was none. */
  last: z.union([z.int(), z.string()]).optional(),
  /** ISO 8601. */
  nextAttemptAt: z.string().optional(),
})
export type CallbackRecord = z.output<typeof callbackRecordSchema>

/** As `GET /invocations/{id}` shows it, and as callbacks bring it. */
export const invocationViewSchema = z.object({
  id: z.string(),
  function: z.string(),
  requestId: z.string(),
  state: z.enum(['waiting', 'running', 'done', 'failed']),
  createdAt: z.string(),
  finishedAt: z.string().optional(),
  deployment: z.string().optional(),
  /** `body` is parsed JSON, text, or base64, as `encoding` says. */
  result: z
    .object({
      status: z.int(),
      headers: z.record(z.string(), z.string()),
      encoding: z.enum(['json', 'text', 'base64']),
      body: z.unknown(),
    })
    .optional(),
  /** A problem object (RFC 9457): the function gave no answer. */
  error: z.record(z.string(), z.unknown()).optional(),
  callback: callbackRecordSchema.omit({ version: true }).extend({ url: z.string() }).optional(),
})
export type InvocationView = z.output<typeof invocationViewSchema>

export function viewResult({ status, headers }: NonNullable<ResultRecord['head']>, body: Uint8Array) {
  const type = new Headers(headers).get('content-type') ?? ''
  const fields = Object.fromEntries(new Headers(headers))
  const answer = { status, headers: fields }
  const text = decode(body)
  if (text !== undefined && /[/+]json\b/i.test(type)) {
    try {
      return { ...answer, encoding: 'json' as const, body: JSON.parse(text) as unknown }
    } catch {
      // It says JSON and is none: the text tells.
    }
  }
  if (text !== undefined && /^text\/|[/+](json|xml)\b/i.test(type)) {
    return { ...answer, encoding: 'text' as const, body: text }
  }
  return { ...answer, encoding: 'base64' as const, body: Buffer.from(body).toString('base64') }
}

function decode(body: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return undefined
  }
}
