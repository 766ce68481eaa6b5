// Finds faces in a photo and tells whose they are, of the people who were enrolled: see the README for its sub-paths.
import { defineFunction, type FunctionContext } from 'corun'
import { type Gallery, openGallery } from './gallery.ts'
import { bestMatch } from './match.ts'
import { decodePicture } from './picture.ts'
import { type FoundFace, readFaces } from './read-faces.ts'

type Context = FunctionContext<'detection' | 'embedding'>

const models = 'npm:@vladmandic/human/models'
const namePattern = /^[\p{L}\p{N}][\p{L}\p{N}\p{M} ._'-]{0,63}$/u

/** One a thread, so that it reads every file once. */
let gallery: Gallery

export default defineFunction({
  description: 'Finds faces in a photo, and tells whose they are of the people who were enrolled',
  models: {
    detection: { path: `${models}/blazeface.json` },
    embedding: { path: `${models}/faceres.json`, outputs: ['global_pooling/Mean'] },
  },
  timeoutMs: 20_000,
  init({ dataFolder }) {
    gallery = openGallery(dataFolder)
  },
  async fetch(request, context) {
    const path = new URL(request.url).pathname
      .split('/')
      .slice(3)
      .filter(part => part !== '')
    const [collection, encoded, ...rest] = path
    const { method } = request
    if (collection === undefined) return method === 'POST' ? recognize(request, context) : wrongMethod('POST')
    if (collection !== 'people' || rest.length > 0) {
      return problem(404, 'unknown-path', 'There are /, /people and /people/{name}')
    }
    if (encoded === undefined) {
      if (method !== 'GET') return wrongMethod('GET')
      const people = await gallery.people()
      return Response.json(people.map(({ name, vectors }) => ({ name, pictures: vectors.length })))
    }
    const name = decoded(encoded)
    if (name === undefined || !namePattern.test(name)) {
      return problem(
        422,
        'invalid-name',
        "A name has up to 64 letters, digits, spaces and . _ ' -, and begins with a letter or digit",
      )
    }
    if (method === 'POST') return enrol(name, request, context)
    if (method !== 'DELETE') return wrongMethod('POST, DELETE')
    if (!(await gallery.remove(name)))
      return problem(404, 'unknown-person', `Nobody is enrolled as "${name}"`)
    return new Response(null, { status: 204 })
  },
})

async function recognize(request: Request, context: Context): Promise<Response> {
  const found = await facesIn(request, context)
  if (found instanceof Response) return found
  const people = await gallery.people()
  return Response.json({
    faces: found.map(({ box, score, vector }) => ({ box, score, ...bestMatch(vector, people) })),
  })
}

async function enrol(name: string, request: Request, context: Context): Promise<Response> {
  const found = await facesIn(request, context)
  if (found instanceof Response) return found
  const [face, ...others] = found
  if (face === undefined) return problem(422, 'no-face', 'The picture shows no face')
  if (others.length > 0) {
    return problem(
      422,
      'several-faces',
      `The picture shows ${found.length} faces; whose is "${name}"? Send it cut to one`,
    )
  }
  const pictures = await gallery.enrol(name, face.vector)
  return Response.json({ name, pictures, box: face.box }, { status: 201 })
}

async function facesIn(request: Request, { models, signal }: Context): Promise<FoundFace[] | Response> {
  const picture = await decodePicture(new Uint8Array(await request.arrayBuffer()))
  if (picture === undefined) return problem(422, 'invalid-image', 'The image cannot be decoded')
  return readFaces(picture, models, signal)
}

function decoded(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded).normalize('NFC')
  } catch {
    return undefined
  }
}

function wrongMethod(allow: string): Response {
  const answer = problem(405, 'method-not-allowed', `There is only ${allow} here`)
  answer.headers.set('allow', allow)
  return answer
}

/** RFC 9457. */
function problem(status: number, code: string, title: string): Response {
  return Response.json(
    { status, code, title },
    {
      status,
      headers: { 'content-type': 'application/problem+json' },
    },
  )
}
