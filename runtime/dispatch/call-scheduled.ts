/** A call by the clock: an invocation like any other, whose answer nobody reads. */
import { randomUUID } from 'node:crypto'
import { CorunError } from '../core/errors.ts'
import type { Dispatcher } from './dispatcher.ts'

/** Resolves to `ok` or an error code when it has ended. `at`: the tick that it is for, ISO 8601. */
export async function callScheduled(
  { invoke }: Pick<Dispatcher, 'invoke'>,
  name: string,
  at: string,
): Promise<string> {
  try {
    const { answer } = await invoke(name, {
      requestId: randomUUID(),
      method: 'POST',
      url: `http://localhost/fn/${name}`,
      headers: [],
      body: new Uint8Array(),
      trigger: { kind: 'schedule', at },
    })
    if (answer.body instanceof ReadableStream) for await (const _ of answer.body);
    return answer.status < 400 ? 'ok' : `status ${answer.status}`
  } catch (error) {
    return error instanceof CorunError ? error.code : 'internal-error'
  }
}
