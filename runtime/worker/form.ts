/** `multipart/form-data` as inputs see it: fields of an object for a schema, file parts for pictures. */
import { CorunError } from '../core/errors.ts'
import type { InvocationRequest } from '../core/messages.ts'

/** The media type in lower case, without its parameters; empty when there is none. */
export function mediaType({ headers }: Pick<InvocationRequest, 'headers'>): string {
  const header = headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? ''
  return (header.split(';')[0] ?? '').trim().toLowerCase()
}

export const isForm = (request: Pick<InvocationRequest, 'headers'>): boolean =>
  mediaType(request) === 'multipart/form-data'

/** Throws `invalid-input` where the body is not what its content type says. */
export async function readForm({ headers, body }: InvocationRequest): Promise<FormData> {
  try {
    // The bytes came alone over a thread border: their buffer is no SharedArrayBuffer.
    return await new Response(body as Uint8Array<ArrayBuffer>, { headers }).formData()
  } catch (cause) {
    throw new CorunError(
      'invalid-input',
      'the body is not multipart/form-data with the boundary that its content type names',
      { cause },
    )
  }
}

/** Text as string, files as `File`; a name that comes several times has all of them, as an array. */
export function fieldsOf(form: FormData): Record<string, unknown> {
  return Object.fromEntries(
    [...new Set(form.keys())].map(name => {
      const values = form.getAll(name)
      return [name, values.length > 1 ? values : values[0]]
    }),
  )
}

/** The part named `image`, else the first file. Throws `invalid-input` when there is no file. */
export async function pictureOf(form: FormData): Promise<Uint8Array> {
  const named = form.get('image')
  const file = named instanceof File ? named : filesOf(form)[0]
  if (file === undefined) {
    throw new CorunError('invalid-input', 'the form has no file; expected a picture in a part named "image"')
  }
  return bytesOf(file)
}

/** Every file of a form with several, or with parts named `images`; undefined for a form with one picture. */
export async function picturesOf(form: FormData): Promise<Uint8Array[] | undefined> {
  const named = form.getAll('images').filter(value => value instanceof File)
  const files = named.length > 0 ? named : filesOf(form)
  return named.length > 0 || files.length > 1 ? Promise.all(files.map(bytesOf)) : undefined
}

const filesOf = (form: FormData): File[] => [...form.values()].filter(value => value instanceof File)
const bytesOf = async (file: File) => new Uint8Array(await file.arrayBuffer())
