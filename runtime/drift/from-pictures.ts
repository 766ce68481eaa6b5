/**
 * A reference at once: what the version that serves says to the reference pictures of its function, run as requests are, one
 * by one and only while there is room. Where there are too few pictures the first requests stay the reference.
 */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import type { Deployment } from '../core/deployment.ts'
import type { InvocationRequest, PoolReply } from '../core/messages.ts'
import type { CheckedDrift } from '../core/watching-schema.ts'
import { sniffFormat } from '../images/sniff-format.ts'
import type { Logger } from '../observe/log.ts'
import { createSerial } from '../state/serial.ts'
import type { DriftMonitor } from './monitor.ts'
import type { Observation } from './observation.ts'

/** What serves, and the pictures that it is to be tried on. */
export interface PictureSubject {
  deployment: Deployment
  /** Id of the model that is watched. */
  model: string
  drift: CheckedDrift
  /** Absolute paths. None of them may have taught the version: of what it has learned from it is surer. */
  files(): Promise<readonly string[]>
}

export interface FromPicturesOptions {
  monitor: Pick<DriftMonitor, 'get' | 'adopt'>
  /** Undefined for a function whose reference comes from requests. */
  subject(name: string): PictureSubject | undefined
  /** Answers undefined when there is no room now. */
  run(
    name: string,
    request: InvocationRequest,
  ): Promise<{ deployment: Deployment; reply: PoolReply<'invoke'> } | undefined>
  log: Logger
  /** With fewer answers nothing is compared. Default 100. */
  least?: number
}

export interface FromPictures {
  /** Makes the reference of the version that serves, where it has none. Never rejects. */
  make(name: string): Promise<void>
  /** Resolves when nothing is made any more. */
  close(): Promise<void>
}

/** From try to try while there is no room. */
const roomEveryMs = 20

export function createFromPictures(options: FromPicturesOptions): FromPictures {
  const { monitor, subject, run, log, least = 100 } = options
  const inTurn = createSerial()
  let closed = false

  /** What the version says to the picture; undefined when it says nothing, or does not serve any more. */
  async function ask(name: string, wanted: PictureSubject, file: string): Promise<Observation | undefined> {
    const body = await readFile(file)
    const format = sniffFormat(body)
    if (format === undefined) return undefined
    const headers: [string, string][] = [['content-type', `image/${format}`]]
    const requestId = `reference-${hashOf(file)}`
    const url = `http://localhost/fn/${name}`
    for (;;) {
      if (!isWanted(name, wanted)) return undefined
      const done = await run(name, { requestId, method: 'POST', url, headers, body: new Uint8Array(body) })
      if (done === undefined) await setTimeout(roomEveryMs)
      else if (!done.reply.ok || done.deployment.id !== wanted.deployment.id) return undefined
      else return done.reply.result.said?.findLast(({ model }) => model === wanted.model)
    }
  }
  const isWanted = (name: string, { deployment, model }: PictureSubject) =>
    !closed &&
    subject(name)?.deployment.id === deployment.id &&
    !hasReference(model, versionOf(deployment, model))
  const hasReference = (model: string, version: string | undefined) => {
    const known = monitor.get(model)
    return known?.version === version && known?.reference.from === 'pictures'
  }

  async function make(name: string): Promise<void> {
    const wanted = subject(name)
    if (wanted === undefined || !isWanted(name, wanted)) return
    const { deployment, model, drift } = wanted
    const version = versionOf(deployment, model)
    if (version === undefined) return
    const files = (await wanted.files()).toSorted((a, b) => (hashOf(a) < hashOf(b) ? -1 : 1))
    const observations: Observation[] = []
    for (const file of files.slice(0, drift.reference)) {
      const said = await ask(name, wanted, file)
      if (said !== undefined) observations.push(said)
      else if (!isWanted(name, wanted)) return
    }
    const fields = { function: name, model, version, pictures: observations.length }
    if (observations.length < least) {
      log.warn({ ...fields, expected: least }, 'drift: too few reference pictures, the first requests are it')
      return
    }
    monitor.adopt(name, { model, version }, drift, observations)
    log.info(fields, 'drift: the reference is made from pictures')
  }

  return {
    make: name =>
      inTurn(() => make(name)).catch(error =>
        log.error({ function: name, err: error }, 'drift: no reference was made from pictures'),
      ),
    close() {
      closed = true
      return inTurn(async () => {})
    },
  }
}

const versionOf = ({ models }: Deployment, id: string) =>
  Object.values(models).find(model => model.id === id)?.sha256

/** In an order that has nothing to do with the labels: the first fifth is what the rest is measured by. */
const hashOf = (file: string) => createHash('sha256').update(file).digest('hex').slice(0, 16)
