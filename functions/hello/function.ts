// The shortest form of a function: a web-standard handler.
import type { FunctionContext } from 'corun'

export default (request: Request, { deployment, requestId }: FunctionContext): Response => {
  const name = new URL(request.url).searchParams.get('name') ?? 'world'
  return Response.json({ hello: name, version: deployment.version, requestId })
}
